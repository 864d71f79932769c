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

#if WVV_MVE
#include <arm_mve.h>

/* Whole fours of sums, how many numbers these are. Narrowing twice leaves a held byte in the lowest of each four. */
static inline int32_t add_fours(const int8_t *plain, const int8_t *looked_up, const int32_t *table,
                                const struct wvv_add *l, int8_t *y, int32_t finish) {
  const int32x4_t mantissas = vdupq_n_s32(l->mantissa);
  const int8x16_t low = vdupq_n_s8((int8_t)l->low), high = vdupq_n_s8((int8_t)l->high);
  const int32_t fours = l->count >> 2;
  for (int32_t n = fours; n > 0; --n, plain += 4, looked_up += 4, y += 4) {
    const int32x4_t of_table = vldrwq_gather_shifted_offset_s32(table, vldrbq_u32((const uint8_t *)looked_up));
    const int32x4_t sum = vaddq_s32(vshlq_n_s32(vldrbq_s32(plain), WVV_ADD_LEFT), of_table);
    int32x4_t value = vaddq_n_s32(vrmulhq_s32(sum, mantissas), l->rounding);
    if (finish != WVV_FINISH_POSITIVE) {
      value = vaddq_s32(value, vshrq_n_s32(sum, 31));
    }
    const int16x8_t halves = vqmovnbq_s32((int16x8_t)value, vshlq_r_s32(value, -l->right));
    int8x16_t bytes = vqmovnbq_s16((int8x16_t)halves, halves);
    if (finish == WVV_FINISH_CLAMPED) {
      bytes = vminq_s8(vmaxq_s8(bytes, low), high);
    }
    vstrbq_s32(y, (int32x4_t)bytes);
  }
  return 4 * fours;
}
#else
static inline int32_t add_fours(const int8_t *plain, const int8_t *looked_up, const int32_t *table,
                                const struct wvv_add *l, int8_t *y, int32_t finish) {
  (void)plain, (void)looked_up, (void)table, (void)l, (void)y, (void)finish;
  return 0;
}
#endif

/* Four at a time, all of them read before the first is written. */
static inline void add_all(const int8_t *plain, const int8_t *looked_up, const int32_t *table,
                           const struct wvv_add *given, int8_t *y, int32_t finish) {
  const struct wvv_add l = *given;
  int32_t n = add_fours(plain, looked_up, table, &l, y, finish);
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
