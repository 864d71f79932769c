/* Exit codes of the firmware and of its host twin; `tvm_wvv/micro/exchange.py` gives each its sentence.
 * They start at 10 because QEMU itself and sanitizers leave with small numbers. */
#ifndef WVV_STATUS_H
#define WVV_STATUS_H

enum wvv_status {
  WVV_OK = 0,
  WVV_FILE_NOT_OPENED = 10, /* one of the exchange files is missing or not writable */
  WVV_PARTIAL_INPUT = 11,   /* the input file ends in the middle of an example */
  WVV_WRITE_FAILED = 12,    /* the host took fewer bytes than were given, as on a full disk */
  WVV_MODEL_FAILED = 13,    /* `run` returned something other than 0 */
  WVV_MODEL_EMPTY = 14,     /* the model has no input bytes, so the input file would never end */
  WVV_STACK_OVERFLOW = 15,  /* the stack grew below its limit */
  WVV_FAULT = 16            /* any other processor fault; a line on the console has the addresses */
};

#endif
