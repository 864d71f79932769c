/* Failures of library calls, kept until the model's run ends: generated kernels return nothing. */
#include "wvv_cmsis_nn.h"

static int32_t first_failure;

void wvv_cmsis_nn_note(int32_t status) {
  if (first_failure == 0) {
    first_failure = status;
  }
}

int32_t wvv_cmsis_nn_take_status(void) {
  const int32_t status = first_failure;
  first_failure = 0;
  return status;
}

int32_t wvv_cmsis_nn_fits(int32_t wanted, int32_t scratch_bytes) {
  if (wanted <= scratch_bytes) {
    return 1;
  }
  wvv_cmsis_nn_note(ARM_CMSIS_NN_ARG_ERROR);
  return 0;
}
