#include "wvv_add.h"

#include "wvv_gemm.h"
#include "wvv_simd.h"

static inline int8_t add_one(uint32_t plain, uint32_t looked_up, const int32_t *table, const struct wvv_add *l,
                             int32_t finish) {
  const uint32_t raised = (uint32_t)(int8_t)(uint8_t)plain << WVV_ADD_LEFT;
  const int32_t sum = (int32_t)((uint32_t)table[looked_up & 255u] + raised);
  const int32_t rounding = finish == WVV_FINISH_POSITIVE ? l->rounding : l->rounding + (sum >> 31);
  int32_t value = wvv_ssat8(wvv_smmlar(sum, l->mantissa, rounding) >> l->right);
  if (finish == WVV_FINISH_CLAMPED) {
    value = value < l->low ? l->low : value > l->high ? l->high : value;
  }
  return (int8_t)value;
}

/* Four at a time, all of them read before the first is written. */
static inline void add_all(const int8_t *plain, const int8_t *looked_up, const int32_t *table,
                           const struct wvv_add *given, int8_t *y, int32_t finish) {
  const struct wvv_add l = *given;
  int32_t n = 0;
  for (; n + 4 <= l.count; n += 4) {
    const uint32_t a = wvv_load4(plain + n), b = wvv_load4(looked_up + n);
    y[n] = add_one(a, b, table, &l, finish);
    y[n + 1] = add_one(a >> 8, b >> 8, table, &l, finish);
    y[n + 2] = add_one(a >> 16, b >> 16, table, &l, finish);
    y[n + 3] = add_one(a >> 24, b >> 24, table, &l, finish);
  }
  for (; n < l.count; ++n) {
    y[n] = add_one((uint8_t)plain[n], (uint8_t)looked_up[n], table, &l, finish);
  }
}

void wvv_add(const int8_t *lhs, const int8_t *rhs, const int32_t *table, const int32_t *layer, int8_t *y) {
  const struct wvv_add *const l = (const struct wvv_add *)layer;
  const int8_t *const plain = l->swapped ? rhs : lhs, *const looked_up = l->swapped ? lhs : rhs;
  if (l->finish == WVV_FINISH_POSITIVE) {
    add_all(plain, looked_up, table, l, y, WVV_FINISH_POSITIVE);
  } else if (l->finish == WVV_FINISH_SIGNED) {
    add_all(plain, looked_up, table, l, y, WVV_FINISH_SIGNED);
  } else {
    add_all(plain, looked_up, table, l, y, WVV_FINISH_CLAMPED);
  }
}
