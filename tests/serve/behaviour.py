def tests(server):
    return []
