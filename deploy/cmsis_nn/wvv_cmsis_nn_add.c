/* int8 addition of two tensors of one shape. */
#include "wvv_cmsis_nn.h"

int32_t wvv_cmsis_nn_add_scratch(const int32_t *parameters) {
  (void)parameters;
  return 0;
}

void wvv_cmsis_nn_add(const int8_t *lhs, const int8_t *rhs, const int32_t *parameters, int8_t *y, int32_t *scratch,
                      int32_t scratch_bytes) {
  const struct wvv_cmsis_nn_elementwise *p = (const struct wvv_cmsis_nn_elementwise *)parameters;
  (void)scratch, (void)scratch_bytes;
  wvv_cmsis_nn_note(arm_elementwise_add_s8(lhs, rhs, p->lhs_offset, p->lhs_mantissa, p->lhs_shift, p->rhs_offset,
                                           p->rhs_mantissa, p->rhs_shift, p->left_shift, y, p->out_offset,
                                           p->out_mantissa, p->out_shift, p->least, p->greatest, p->count));
}
