"""QDQ Relax to integer operators, to Winograd stages, to kernel calls."""

import tvm_ffi

from tvm_wvv.errors import WvvError

# A pass runs behind TVM's foreign-function border, which turns errors it does not know into RuntimeError.
tvm_ffi.register_error("WvvError", WvvError)
