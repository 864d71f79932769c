/* Runs the model over a file of examples: the same source on every board and, with host_io.c, on the host.
 *
 * Takes:   `input.bin`, whole examples one after the other, each with its inputs in the model's order.
 * Gives:   `output.bin`, the outputs in the same manner, written as each example ends (so its size is the progress).
 * Refuses: an input file that ends within an example; see wvv_status.h for all exit codes.
 */
#include "wvv_io.h"
#include "wvv_measure.h"
#include "wvv_model.h"

/* Whether there was another example; exits if there was only a part of one. */
static bool read_example(int32_t file) {
  for (uint32_t i = 0; i < wvv_model.input_count; ++i) {
    const uint32_t got = wvv_read(file, wvv_model.inputs[i], wvv_model.input_bytes[i]);
    if (i == 0u && got == 0u) {
      return false;
    }
    if (got != wvv_model.input_bytes[i]) {
      wvv_exit(WVV_PARTIAL_INPUT);
    }
  }
  return true;
}

static void write_example(int32_t file) {
  for (uint32_t i = 0; i < wvv_model.output_count; ++i) {
    wvv_write(file, wvv_model.outputs[i], wvv_model.output_bytes[i]);
  }
}

int main(void) {
  if (wvv_model.input_count == 0u || wvv_model.input_bytes[0] == 0u) {
    wvv_exit(WVV_MODEL_EMPTY);
  }
  const int32_t input = wvv_open("input.bin", false);
  const int32_t output = wvv_open("output.bin", true);
  wvv_measure_open();
  for (bool first = true; read_example(input); first = false) {
    const int32_t status = first ? wvv_measure_run(wvv_model.run) : wvv_model.run();
    if (status != 0) {
      wvv_exit(WVV_MODEL_FAILED);
    }
    write_example(output);
  }
  wvv_measure_close();
  return WVV_OK;
}
