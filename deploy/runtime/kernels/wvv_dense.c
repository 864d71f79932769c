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

static inline int8_t finished(int32_t sum, const int32_t *scale, const struct wvv_dense *l) {
  const int32_t rounding = l->finish == WVV_FINISH_POSITIVE ? scale[2] : scale[2] + (sum >> 31);
  const int32_t value = wvv_ssat8(wvv_smmlar(sum, scale[1], rounding) >> scale[3]);
  return (int8_t)(value < l->low ? l->low : value > l->high ? l->high : value);
}

void wvv_dense(const int8_t *x, const int8_t *weights, const int32_t *scales, const int32_t *layer, int8_t *y,
               int32_t *scratch) {
  const struct wvv_dense *const l = (const struct wvv_dense *)layer;
  const int32_t groups = (l->inputs + 3) >> 2;
  uint32_t *const row = (uint32_t *)scratch;
  for (int32_t n = 0; n < l->rows; ++n, x += l->inputs) {
    expand(row, x, l->inputs);
    const uint32_t *w = (const uint32_t *)weights;
    for (int32_t o = 0; o < l->outputs; o += 4, w += 4 * groups) {
      const int32_t here = l->outputs - o < 4 ? l->outputs - o : 4;
      const int32_t *const scale = scales + 4 * o;
      int32_t sums[4] = {0};
      for (int32_t k = 0; k < here; ++k) {
        sums[k] = scale[4 * k];
      }
      wvv_dot_quad(row, row + 2 * groups, w, sums);
      for (int32_t k = 0; k < here; ++k) {
        *y++ = finished(sums[k], scale + 4 * k, l);
      }
    }
  }
}
