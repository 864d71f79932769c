/* Padding of a tensor of up to four axes with one value. */
#include "wvv_cmsis_nn.h"

int32_t wvv_cmsis_nn_pad_scratch(const int32_t *parameters) {
  (void)parameters;
  return 0;
}

static cmsis_nn_dims dims_of(const int32_t axes[4]) {
  const cmsis_nn_dims dims = {.n = axes[0], .h = axes[1], .w = axes[2], .c = axes[3]};
  return dims;
}

void wvv_cmsis_nn_pad(const int8_t *x, const int32_t *parameters, int8_t *y, int32_t *scratch, int32_t scratch_bytes) {
  const struct wvv_cmsis_nn_pad *p = (const struct wvv_cmsis_nn_pad *)parameters;
  const cmsis_nn_dims size = dims_of(p->size), before = dims_of(p->before), after = dims_of(p->after);
  (void)scratch, (void)scratch_bytes;
  wvv_cmsis_nn_note(arm_pad_s8(x, y, (int8_t)p->value, &size, &before, &after));
}
