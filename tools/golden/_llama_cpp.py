"""llama.cpp as an oracle: logits for token ids, through its C API as llama-cpp-python declares it.

Source and build are those of the peer (tools/dev/peer.sh). Only the module with the declarations is
imported; the package around it would want more packages than the C API does.
"""

import ctypes
import os
import pathlib
import sys
import types

import numpy as np

import _pins

VERSION = "0.3.36"
PEER = _pins.ROOT / ".cache/peer"
_package = PEER / "source/llama_cpp"
if not (PEER / "build/bin/llama-perplexity").exists():
    raise SystemExit("golden: llama.cpp is not built yet: ./dev bench peer builds it")
if f'__version__ = "{VERSION}"' not in (_package / "__init__.py").read_text():
    raise SystemExit(f"golden: the peer is not llama-cpp-python {VERSION}")
os.environ["LLAMA_CPP_LIB_PATH"] = str(PEER / "build/bin")
sys.modules["llama_cpp"] = types.ModuleType("llama_cpp")
sys.modules["llama_cpp"].__path__ = [str(_package)]
import llama_cpp.llama_cpp as llama_cpp  # noqa: E402


@llama_cpp.llama_log_callback
def _silent(level, text, data):
    pass


llama_cpp.llama_log_set(_silent, ctypes.c_void_p())


class Llama:
    """One model with one sequence; keys and values are float32 unless `half_kv`."""

    def __init__(self, path: pathlib.Path, context: int, half_kv: bool = False):
        self.model = llama_cpp.llama_model_load_from_file(
            str(path).encode(), llama_cpp.llama_model_default_params()
        )
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
        result = np.stack(
            [
                np.ctypeslib.as_array(
                    llama_cpp.llama_get_logits_ith(self.context, i), (self.size,)
                ).copy()
                for i in rows
            ]
        )
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
            self.vocabulary, data, len(data), room, len(room), False, True
        )
        return list(room[:count])

    def is_end(self, token: int) -> bool:
        return bool(llama_cpp.llama_vocab_is_eog(self.vocabulary, token))

    def text(self, ids: list[int]) -> str:
        """The text of `ids`, special tokens kept."""
        result = b""
        for token in ids:
            room = ctypes.create_string_buffer(256)
            size = llama_cpp.llama_token_to_piece(self.vocabulary, token, room, len(room), 0, True)
            result += room.raw[:size]
        return result.decode(errors="replace")
