/* Transforms of F(2x2, 3x3) over the points 0, 1, -1 and infinity, in one dimension:
 *   v0 = d0 - d2     v1 = d1 + d2     v2 = d2 - d1     v3 = d3 - d1       2 y0 = m0 + m1 + m2     2 y1 = m1 - m2 + m3
 * Inputs without their zero point fit 9 bits, V 11 bits: pairs are added half by half, and nothing overflows. */
#include "wvv_winograd.h"
#include "wvv_winograd_edges.h"

enum { TILE = 4, POINTS = 2 };

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS void into(uint32_t d0, uint32_t d1, uint32_t d2, uint32_t d3, uint32_t* v, int step) {
  v[0] = wvv_ssub16(d0, d2);
  v[step] = wvv_sadd16(d1, d2);
  v[2 * step] = wvv_ssub16(d2, d1);
  v[3 * step] = wvv_ssub16(d3, d1);
}

static void quad(const int8_t* x, int32_t row_bytes, uint32_t* v, int32_t step, int32_t column_bytes,
                 uint32_t centre) {
  uint32_t scratch[2][TILE][TILE];
  for (int column = 0; column < TILE; ++column, x += column_bytes) {
    const uint32_t w0 = wvv_load4(x), w1 = wvv_load4(x + row_bytes), w2 = wvv_load4(x + 2 * row_bytes);
    const uint32_t w3 = wvv_load4(x + 3 * row_bytes);
    into(wvv_sxtab16(centre, w0), wvv_sxtab16(centre, w1), wvv_sxtab16(centre, w2), wvv_sxtab16(centre, w3),
         &scratch[0][0][column], TILE);
    into(wvv_sxtab16_ror8(centre, w0), wvv_sxtab16_ror8(centre, w1), wvv_sxtab16_ror8(centre, w2),
         wvv_sxtab16_ror8(centre, w3), &scratch[1][0][column], TILE);
  }
  step /= WVV_WORD;
#pragma GCC unroll 1
  for (int pair = 0; pair < 2; ++pair) {
    for (int row = 0; row < TILE; ++row) {
      const uint32_t* s = scratch[pair][row];
      into(s[0], s[1], s[2], s[3], v + row * TILE * step + 2 * pair, step);
    }
  }
}

WVV_DEFINE_INPUT(wvv_f2_input, TILE, quad, (uint32_t)wvv_pair(-zero_point, -zero_point))

ALWAYS void one_output(const uint32_t* m, const int32_t* stage, int8_t* out, int32_t row_bytes, int32_t column_bytes,
                       int positive) {
  uint32_t scratch[POINTS][TILE];
  for (int column = 0; column < TILE; ++column, m += 4) {
    scratch[0][column] = m[0] + m[16] + m[32];
    scratch[1][column] = m[16] - m[32] + m[48];
  }
  for (int row = 0; row < POINTS; ++row) {
    const uint32_t* s = scratch[row];
    const uint32_t y[POINTS] = {s[0] + s[1] + s[2], s[1] - s[2] + s[3]};
    for (int column = 0; column < POINTS; ++column) {
      out[row * row_bytes + column * column_bytes] = wvv_output(stage[0] + wvv_asr(y[column], 1), stage, positive);
    }
  }
}

WVV_DEFINE_OUTPUTS(wvv_f2_output, POINTS, one_output)
