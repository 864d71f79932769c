#include "wvv_dense.h"

#include <string.h>

#include "wvv_gemm.h"
#include "wvv_simd.h"

/* Twice the inputs as pairs; zeros up to a whole group. */
static void expand(uint32_t *to, const int8_t *from, int32_t inputs) {
  for (; inputs > 0; inputs -= 4, from += 4, to += 2) {
    uint32_t word = 0;
    if (inputs >= 4) {
      word = wvv_load4(from);
    } else {
      memcpy(&word, from, (size_t)inputs);
    }
    const uint32_t even = wvv_sxtb16(word), odd = wvv_sxtb16_ror8(word);
    to[0] = wvv_sadd16(even, even);
    to[1] = wvv_sadd16(odd, odd);
  }
}

/* The word of the first two outputs' weights and four inputs, which are taken as they are. */
static inline void add_two(uint32_t sums[2], uint32_t inputs, const uint32_t *weights) {
  const uint32_t even = wvv_sxtb16(inputs), odd = wvv_sxtb16_ror8(inputs);
  sums[0] = wvv_smlad(even, wvv_sxtb16(weights[0]), wvv_smlad(odd, wvv_sxtb16_ror8(weights[0]), sums[0]));
  sums[1] = wvv_smlad(even, wvv_sxtb16(weights[1]), wvv_smlad(odd, wvv_sxtb16_ror8(weights[1]), sums[1]));
}

/* Of four outputs only the first two: half the products, for which inputs are not worth expanding. */
static __attribute__((noinline)) void dot_two(const int8_t *x, int32_t inputs, const uint32_t *weights,
                                              int32_t sums[2]) {
  uint32_t products[2] = {0, 0}, rest = 0;
#pragma GCC unroll 4
  for (int32_t left = inputs >> 2; left > 0; --left, x += 4, weights += 4) {
    add_two(products, wvv_load4(x), weights);
  }
  if ((inputs & 3) != 0) {
    memcpy(&rest, x, (size_t)(inputs & 3));
    add_two(products, rest, weights);
  }
  sums[0] = (int32_t)((uint32_t)sums[0] + 2 * products[0]);
  sums[1] = (int32_t)((uint32_t)sums[1] + 2 * products[1]);
}

/* Up to four outputs; `finish` as a constant chooses what is needed of the end. */
static inline __attribute__((always_inline)) int8_t *finish_all(const int32_t sums[4], const int32_t *scale,
                                                                int32_t count, const struct wvv_dense *l,
                                                                int32_t finish, int8_t *y) {
  for (int32_t k = 0; k < count; ++k, scale += 4) {
    const int32_t rounding = finish == WVV_FINISH_POSITIVE ? scale[2] : scale[2] + (sums[k] >> 31);
    int32_t value = wvv_ssat8(wvv_smmlar(sums[k], scale[1], rounding) >> scale[3]);
    if (finish == WVV_FINISH_CLAMPED) {
      value = value < l->low ? l->low : value > l->high ? l->high : value;
    }
    *y++ = (int8_t)value;
  }
  return y;
}

static inline int8_t *write(const int32_t sums[4], const int32_t *scale, int32_t count, const struct wvv_dense *l,
                            int8_t *y) {
  if (l->finish == WVV_FINISH_CLAMPED) {
    return finish_all(sums, scale, count, l, WVV_FINISH_CLAMPED, y);
  }
  const int32_t finish = l->finish;
  if (count < 4) {
    return finish_all(sums, scale, count, l, finish, y);
  }
  return finish == WVV_FINISH_POSITIVE ? finish_all(sums, scale, 4, l, WVV_FINISH_POSITIVE, y)
                                       : finish_all(sums, scale, 4, l, WVV_FINISH_SIGNED, y);
}

void wvv_dense(const int8_t *x, const int8_t *weights, const int32_t *scales, const int32_t *layer, int8_t *y,
               int32_t *scratch) {
  const struct wvv_dense own = *(const struct wvv_dense *)layer, *const l = &own;
  const int32_t groups = (l->inputs + 3) >> 2;
  uint32_t *const row = (uint32_t *)scratch;
  for (int32_t n = 0; n < l->rows; ++n, x += l->inputs) {
    if (l->outputs > 2) {
      expand(row, x, l->inputs);
    }
    const uint32_t *w = (const uint32_t *)weights;
    const int32_t *scale = scales;
    for (int32_t left = l->outputs; left > 0; left -= 4, w += 4 * groups, scale += 16) {
      const int32_t here = left < 4 ? left : 4;
      int32_t sums[4] = {scale[0], 0, 0, 0};
      for (int32_t k = 1; k < here; ++k) {
        sums[k] = scale[4 * k];
      }
      if (here > 2) {
        wvv_dot_quad(row, row + 2 * groups, w, sums);
      } else {
        dot_two(x, l->inputs, w, sums);
      }
      y = write(sums, scale, here, l, y);
    }
  }
}
