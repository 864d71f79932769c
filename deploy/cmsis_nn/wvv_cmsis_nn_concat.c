/* Two tensors one after the other along an axis: `rows` times a block of each. */
#include "wvv_cmsis_nn.h"

int32_t wvv_cmsis_nn_concat_scratch(const int32_t *parameters) {
  (void)parameters;
  return 0;
}

void wvv_cmsis_nn_concat(const int8_t *lhs, const int8_t *rhs, const int32_t *parameters, int8_t *y, int32_t *scratch,
                         int32_t scratch_bytes) {
  const struct wvv_cmsis_nn_concat *p = (const struct wvv_cmsis_nn_concat *)parameters;
  const uint16_t rows = (uint16_t)p->rows, left = (uint16_t)p->lhs_block, right = (uint16_t)p->rhs_block;
  const uint16_t both = (uint16_t)(left + right);
  (void)scratch, (void)scratch_bytes;
  arm_concatenation_s8_x(lhs, left, rows, 1, 1, y, both, 0);
  arm_concatenation_s8_x(rhs, right, rows, 1, 1, y, both, left);
}
