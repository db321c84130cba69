"""People's own clients, from PyPI, against the running program: they must work unchanged."""

from server import expect

HI = [{"role": "user", "content": "Count from one to five."}]
TOOL = {"type": "function", "function": {
    "name": "weather", "description": "The weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
                   "required": ["city"]}}}


def openai_client(server):
    import openai
    return openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)


def openai_chat(server):
    """openai: a chat, whole and as a stream with usage, logprobs, stop, seed."""
    client = openai_client(server)
    whole = client.chat.completions.create(
        model=server.model, messages=HI, max_completion_tokens=12, temperature=0, seed=1,
        logprobs=True, top_logprobs=2)
    text = whole.choices[0].message.content
    expect(text and whole.usage.completion_tokens == 12, f"{whole}")
    expect(whole.usage.prompt_tokens_details.cached_tokens is not None, "no cached tokens")
    expect(len(whole.choices[0].logprobs.content) == 12, "logprobs")
    pieces, usage = [], None
    for chunk in client.chat.completions.create(
            model=server.model, messages=HI, max_tokens=12, temperature=0, stream=True,
            stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        pieces += [choice.delta.content or "" for choice in chunk.choices]
    expect("".join(pieces) == text, f"{pieces} {text!r}")
    expect(usage.total_tokens == whole.usage.total_tokens, "usage")


def openai_completions(server):
    """openai: completions, models, the SDK's own errors."""
    import openai
    client = openai_client(server)
    done = client.completions.create(model=server.model, prompt="Once upon a time", max_tokens=5,
                                     n=2, temperature=1, seed=3, echo=True, logprobs=2)
    expect(len(done.choices) == 2 and done.choices[0].text.startswith("Once upon"), f"{done}")
    expect(server.model in [model.id for model in client.models.list()], "models")
    expect(client.models.retrieve(server.model).id == server.model, "retrieve")
    for error, arguments in [(openai.NotFoundError, {"model": "gpt-9", "messages": HI}),
                             (openai.BadRequestError, {"model": server.model, "messages": []}),
                             (openai.BadRequestError, {"model": server.model, "messages": HI,
                                                       "temperature": 9})]:
        try:
            client.chat.completions.create(**arguments)
        except error as caught:
            expect(caught.body["message"] and caught.type, f"{caught.body}")
        else:
            expect(False, f"no {error.__name__}")


def openai_tools(server):
    """openai: tools are offered, a conversation with calls and results is taken."""
    client = openai_client(server)
    talk = HI + [
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c1", "type": "function",
             "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"}]
    done = client.chat.completions.with_raw_response.create(
        model=server.model, messages=talk, tools=[TOOL], max_tokens=8)
    expect(done.parse().choices[0].finish_reason in ("stop", "length", "tool_calls"), "reason")
    expect("tools" in done.headers.get("x-orrery-warnings", ""), "no word about the template")


def openai_responses(server):
    """openai: responses, whole and as a stream."""
    client = openai_client(server)
    whole = client.responses.create(model=server.model, input="Count to five.", temperature=0,
                                    instructions="Be short.", max_output_tokens=10)
    expect(whole.output_text and whole.usage.output_tokens <= 10, f"{whole}")
    expect(whole.status in ("completed", "incomplete"), whole.status)
    text, last = "", None
    with client.responses.stream(model=server.model, input=[
            {"role": "user", "content": [{"type": "input_text", "text": "Count to five."}]}],
            temperature=0, instructions="Be short.", max_output_tokens=10) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                text += event.delta
            last = event
    expect(text == whole.output_text, f"{text!r} {whole.output_text!r}")
    expect(last.type in ("response.completed", "response.incomplete"), last.type)


def openai_embeddings(server):
    """openai: embeddings, of length 1, near for near texts, alike by any path and pooling told."""
    client = openai_client(server)
    texts = ["A cat sleeps on the sofa.", "A kitten naps on the couch.", "Interest rates rose."]
    for pooling in ("last", "mean"):
        done = client.embeddings.create(model=server.model, input=texts,
                                        extra_body={"pooling": pooling})
        vectors = [one.embedding for one in done.data]
        expect(done.model_dump()["pooling"] == pooling and len(vectors) == 3, f"{done.usage}")
        for vector in vectors:
            expect(len(vector) == 576 and abs(sum(x * x for x in vector) - 1) < 1e-4, "length")
        cats, rates = (sum(x * y for x, y in zip(vectors[0], other)) for other in vectors[1:])
        expect(cats > rates, f"{pooling}: {cats} is not nearer than {rates}")
        plain = client.embeddings.create(model=server.model, input=texts[0],
                                         encoding_format="float", extra_body={"pooling": pooling})
        expect(max(abs(a - b) for a, b in zip(plain.data[0].embedding, vectors[0])) < 1e-6,
               "alone and as base64 differ")


def anthropic_messages(server):
    """anthropic: messages whole and as a stream, blocks, counted tokens, errors."""
    import anthropic
    client = anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0)
    ask = {"model": server.model, "max_tokens": 12, "system": "Be short.",
           "extra_body": {"temperature": 0},
           "messages": HI}
    whole = client.messages.create(**ask)
    text = whole.content[0].text
    expect(text and whole.stop_reason in ("max_tokens", "end_turn"), f"{whole}")
    with client.messages.stream(**ask) as stream:
        expect("".join(stream.text_stream) == text, "the stream differs")
        final = stream.get_final_message()
    expect((final.stop_reason, final.usage.output_tokens) ==
           (whole.stop_reason, whole.usage.output_tokens), f"{final}")
    count = client.messages.count_tokens(model=server.model, system="Be short.", messages=HI)
    usage = whole.usage
    expect(count.input_tokens == usage.input_tokens + usage.cache_read_input_tokens, f"{count}")
    talk = HI + [
        {"role": "assistant", "content": [
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Paris"}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "sunny"},
            {"type": "text", "text": "And?"}]}]
    tool = {"name": "weather", "input_schema": TOOL["function"]["parameters"]}
    expect(client.messages.create(model=server.model, max_tokens=5, messages=talk,
                                  tools=[tool]).content is not None, "tools")
    try:
        client.messages.create(model="claude-9", max_tokens=5, messages=HI)
    except anthropic.NotFoundError as caught:
        expect(caught.body["error"]["type"] == "not_found_error", f"{caught.body}")
    else:
        expect(False, "no NotFoundError")


def ollama_client(server):
    """ollama: chat, generate, list, show, ps, both ways, errors."""
    import ollama
    client = ollama.Client(host=server.url)
    options = {"temperature": 0, "num_predict": 10}
    whole = client.chat(model=server.model, messages=HI, options=options)
    expect(whole.message.content and whole.eval_count == 10 and whole.done, f"{whole}")
    pieces = list(client.chat(model=server.model, messages=HI, options=options, stream=True))
    text = "".join(p.message.content for p in pieces)
    expect(text == whole.message.content, f"the stream differs: {text!r}")
    expect(pieces[-1].done and pieces[-1].done_reason == "length", f"{pieces[-1]}")
    done = client.generate(model=server.model, prompt="Hello", system="Be short.", options=options)
    expect(done.response and done.prompt_eval_count > 5, f"{done}")
    raw = client.generate(model=server.model, prompt="Once upon", raw=True, options=options)
    expect(raw.prompt_eval_count < 5, f"{raw}")
    names = [model.model for model in client.list().models]
    expect(names == [server.model + ":latest"], f"{names}")
    vectors = client.embed(model=server.model, input=["One.", "Two."]).embeddings
    expect(len(vectors) == 2 and len(vectors[0]) == 576, f"{len(vectors)}")
    ok = client.chat(model=names[0], messages=HI, options=options)
    expect(ok.message.content == whole.message.content, "by its listed name")
    shown = client.show(server.model)
    expect("completion" in shown.capabilities and shown.details.format == "gguf", f"{shown}")
    expect(client.ps().models[0].model == names[0], "ps")
    try:
        client.chat(model="llama9", messages=HI)
    except ollama.ResponseError as caught:
        expect(caught.status_code == 404 and server.model in caught.error, f"{caught}")
    else:
        expect(False, "no ResponseError")


def litellm_client(server):
    """litellm: through its OpenAI provider, whole and as a stream."""
    import litellm
    ask = {"model": "openai/" + server.model, "api_base": server.url + "/v1", "api_key": "none",
           "messages": HI, "max_tokens": 8, "temperature": 0}
    text = litellm.completion(**ask).choices[0].message.content
    pieces = [chunk.choices[0].delta.content or ""
              for chunk in litellm.completion(**ask, stream=True)]
    expect(text and "".join(pieces) == text, f"{pieces} {text!r}")


def langchain_client(server):
    """langchain-openai: invoke, stream, bound tools."""
    from langchain_openai import ChatOpenAI
    model = ChatOpenAI(base_url=server.url + "/v1", api_key="none", model=server.model,
                       temperature=0, max_tokens=8, max_retries=0)
    whole = model.invoke("Count from one to five.")
    expect(whole.content and whole.usage_metadata["output_tokens"] == 8, f"{whole}")
    text = "".join(chunk.content for chunk in model.stream("Count from one to five."))
    expect(text == whole.content, f"{text!r}")
    expect(model.bind_tools([TOOL]).invoke("Hello") is not None, "tools")


def tests(server):
    for test in (openai_chat, openai_completions, openai_tools, openai_responses,
                 openai_embeddings, anthropic_messages,
                 ollama_client, litellm_client, langchain_client):
        yield test.__doc__, lambda t=test: t(server)
