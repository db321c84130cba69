"""llama.cpp as an oracle, through the C API of PyPI llama-cpp-python: logits for token ids."""
import ctypes
import pathlib

import llama_cpp
import numpy as np

VERSION = "0.3.36"
if llama_cpp.__version__ != VERSION:
    raise SystemExit(f"golden: llama-cpp-python is {llama_cpp.__version__}, wanted {VERSION}")


@llama_cpp.llama_log_callback
def _silent(level, text, data):
    pass


llama_cpp.llama_log_set(_silent, ctypes.c_void_p())


class Llama:
    """One model with one sequence; keys and values are float32 unless `half_kv`."""

    def __init__(self, path: pathlib.Path, context: int, half_kv: bool = False):
        self.model = llama_cpp.llama_model_load_from_file(
            str(path).encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            raise SystemExit(f"golden: llama.cpp cannot load {path}")
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = settings.n_batch = settings.n_ubatch = context
        settings.n_threads = settings.n_threads_batch = 2
        settings.no_perf = True
        if not half_kv:
            settings.type_k = settings.type_v = llama_cpp.GGML_TYPE_F32
        self.context = llama_cpp.llama_init_from_model(self.model, settings)
        self.vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        self.size = llama_cpp.llama_vocab_n_tokens(self.vocabulary)

    def restart(self) -> None:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)

    def feed(self, ids: list[int], past: int, all_positions: bool) -> np.ndarray:
        """Logits [len(ids) or 1, vocab] after feeding `ids` at positions past, past + 1, ..."""
        batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i], batch.pos[i] = token, past + i
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
            batch.logits[i] = all_positions or i == len(ids) - 1
        if llama_cpp.llama_decode(self.context, batch) != 0:
            raise SystemExit("golden: llama_decode failed")
        rows = range(len(ids)) if all_positions else [len(ids) - 1]
        result = np.stack([np.ctypeslib.as_array(
            llama_cpp.llama_get_logits_ith(self.context, i), (self.size,)).copy() for i in rows])
        llama_cpp.llama_batch_free(batch)
        return result

    def logits(self, ids: list[int]) -> np.ndarray:
        self.restart()
        return self.feed(ids, 0, all_positions=True)

    def tokenize(self, text: str) -> list[int]:
        """Special tokens written in the text are recognised; none is added."""
        data = text.encode()
        room = (llama_cpp.llama_token * (len(data) + 8))()
        count = llama_cpp.llama_tokenize(
            self.vocabulary, data, len(data), room, len(room), False, True)
        return list(room[:count])
