/* int8 product of two tensors of one shape. */
#include "wvv_cmsis_nn.h"

int32_t wvv_cmsis_nn_mul_scratch(const int32_t *parameters) {
  (void)parameters;
  return 0;
}

void wvv_cmsis_nn_mul(const int8_t *lhs, const int8_t *rhs, const int32_t *parameters, int8_t *y, int32_t *scratch,
                      int32_t scratch_bytes) {
  const struct wvv_cmsis_nn_elementwise *p = (const struct wvv_cmsis_nn_elementwise *)parameters;
  (void)scratch, (void)scratch_bytes;
  wvv_cmsis_nn_note(arm_elementwise_mul_s8(lhs, rhs, p->lhs_offset, p->rhs_offset, y, p->out_offset, p->out_mantissa,
                                           p->out_shift, p->least, p->greatest, p->count));
}
