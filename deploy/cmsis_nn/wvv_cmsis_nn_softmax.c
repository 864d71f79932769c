/* int8 softmax over rows. */
#include "wvv_cmsis_nn.h"

int32_t wvv_cmsis_nn_softmax_scratch(const int32_t *parameters) {
  (void)parameters;
  return 0;
}

void wvv_cmsis_nn_softmax(const int8_t *x, const int32_t *parameters, int8_t *y, int32_t *scratch,
                          int32_t scratch_bytes) {
  const struct wvv_cmsis_nn_softmax *p = (const struct wvv_cmsis_nn_softmax *)parameters;
  (void)scratch, (void)scratch_bytes;
  arm_softmax_s8(x, p->rows, p->length, p->mantissa, p->shift, p->least_difference, y);
}
