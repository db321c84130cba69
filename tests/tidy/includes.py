"""Which headers of the standard library a file can count on: its own and those of our headers that
it includes. What another library or another compiler's headers happen to bring does not count."""

import re

# The names that people use without thinking of their header.
USES = {
    "<algorithm>": r"std::(ranges::)?(max_element|min_element|minmax_element|sort|stable_sort|"
                   r"partial_sort|nth_element|find|find_if|count|count_if|any_of|all_of|none_of|"
                   r"copy|copy_n|fill|fill_n|transform|equal|mismatch|lower_bound|upper_bound|"
                   r"unique|reverse|rotate|adjacent_find|min|max|clamp|push_heap|pop_heap|search|"
                   r"shuffle|remove_if|replace)\s*\(",
    "<array>": r"std::array<",
    "<atomic>": r"std::atomic<",
    "<bit>": r"std::(bit_cast|popcount|countr_zero|bit_width|has_single_bit)\b",
    "<charconv>": r"std::(from_chars|to_chars)\b",
    "<chrono>": r"std::chrono\b",
    "<cmath>": r"std::(sqrt|exp|log|fabs|isnan|isfinite|isinf|round|floor|ceil|pow|signbit)\s*\(",
    "<cstdlib>": r"std::(getenv|free|system)\s*\(",
    "<cstring>": r"std::(memcpy|memcmp|memset|strlen|strcmp|strerror|memmove|strrchr)\s*\(",
    "<filesystem>": r"std::filesystem\b",
    "<fstream>": r"std::[io]?fstream\b",
    "<functional>": r"std::function<",
    "<limits>": r"std::numeric_limits\b",
    "<map>": r"std::map<",
    "<memory>": r"std::(unique_ptr|shared_ptr|make_unique|make_shared)\b",
    "<mutex>": r"std::(mutex|lock_guard|once_flag)\b",
    "<numeric>": r"std::(accumulate|iota|gcd)\b",
    "<optional>": r"std::(optional<|nullopt)",
    "<random>": r"std::(mt19937|uniform_\w+_distribution)\b",
    "<set>": r"std::set<",
    "<span>": r"std::span<",
    "<sstream>": r"std::[io]?stringstream\b",
    "<thread>": r"std::(thread|this_thread)\b",
    "<unordered_map>": r"std::unordered_map<",
    "<unordered_set>": r"std::unordered_set<",
    "<utility>": r"std::exchange\b",
    "<variant>": r"std::(variant<|get_if<|visit\()",
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(<[^>]+>|"[^"]+")', re.MULTILINE)


def _found(tree, included, path):
    beside = path.rsplit("/", 1)[0] + "/" + included
    for place in ("src/" + included, included, "tests/" + included, beside):
        if place in tree.paths:
            return place
    return None


def reachable(tree, path, known):
    """The standard headers that `path` includes, itself or through our headers."""
    if path not in known:
        known[path] = set()  # a circle adds nothing
        headers = set()
        for name in INCLUDE.findall(tree.text(path)):
            ours = None if name[0] == "<" else _found(tree, name[1:-1], path)
            headers |= reachable(tree, ours, known) if ours else {name}
        known[path] = headers
    return known[path]


def missing(tree, path, code, known):
    """(line, header) of what the code uses and nobody of ours includes."""
    headers = reachable(tree, path, known)
    for header, use in USES.items():
        found = None if header in headers else re.search(use, code)
        if found:
            yield code.count("\n", 0, found.start()) + 1, header
