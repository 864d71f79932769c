/* Transforms of F(2x2, 3x3) over the points 0, 1, -1 and infinity, and of F(2, 3) along the width. In one dimension:
 *   v0 = d0 - d2     v1 = d1 + d2     v2 = d2 - d1     v3 = d3 - d1       2 y0 = m0 + m1 + m2     2 y1 = m1 - m2 + m3
 * Inputs without their zero point fit 9 bits, V 11 bits: pairs are added half by half, and nothing overflows. Along the
 * width, the three rows of a kernel are three runs of channels, which one product sums up. */
#include "wvv_winograd.h"
#include "wvv_winograd_edges.h"

enum { TILE = 4, POINTS = 2, KERNEL = 3, M_WORDS = 4 };

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

WVV_DEFINE_INPUT(wvv_f2_input, TILE, TILE, quad, (uint32_t)wvv_pair(-zero_point, -zero_point))

ALWAYS void one_output(const uint32_t* m, const int32_t* stage, int8_t* out, int32_t row_bytes, int32_t column_bytes,
                       int positive, int divided) {
  const int32_t away = wvv_away_from_zero(stage, positive);
  uint32_t scratch[POINTS][TILE];
  for (int column = 0; column < TILE; ++column, m += 4) {
    scratch[0][column] = m[0] + m[16] + m[32];
    scratch[1][column] = m[16] - m[32] + m[48];
  }
  for (int row = 0; row < POINTS; ++row) {
    const uint32_t* s = scratch[row];
    const uint32_t y[POINTS] = {s[0] + s[1] + s[2], s[1] - s[2] + s[3]};
    for (int column = 0; column < POINTS; ++column) {
      int8_t* to = out + row * row_bytes + column * column_bytes;
      *to = divided ? wvv_output(stage[0] + wvv_asr(y[column], 1), stage, positive)
                    : wvv_output_any(stage[0] + (int32_t)(y[column] << 1), stage, away);
    }
  }
}

WVV_DEFINE_OUTPUTS(wvv_f2_output, POINTS, POINTS, one_output, 1)
WVV_DEFINE_OUTPUTS(wvv_f2_output8, POINTS, POINTS, one_output, 0)

static void quad_of_rows(const int8_t* x, int32_t row_bytes, uint32_t* v, int32_t step, int32_t column_bytes,
                         uint32_t centre) {
  step /= WVV_WORD;
#pragma GCC unroll 1
  for (int row = 0; row < KERNEL; ++row, x += row_bytes, v += step) {
    const uint32_t w0 = wvv_load4(x), w1 = wvv_load4(x + column_bytes), w2 = wvv_load4(x + 2 * column_bytes);
    const uint32_t w3 = wvv_load4(x + 3 * column_bytes);
    into(wvv_sxtab16(centre, w0), wvv_sxtab16(centre, w1), wvv_sxtab16(centre, w2), wvv_sxtab16(centre, w3), v,
         KERNEL * step);
    into(wvv_sxtab16_ror8(centre, w0), wvv_sxtab16_ror8(centre, w1), wvv_sxtab16_ror8(centre, w2),
         wvv_sxtab16_ror8(centre, w3), v + 2, KERNEL * step);
  }
}

WVV_DEFINE_INPUT(wvv_f2x1_input, KERNEL, TILE, quad_of_rows, (uint32_t)wvv_pair(-zero_point, -zero_point))

/* The sums are twice what they should be, and twice is what is asked for. */
ALWAYS void one_row(const uint32_t* m, const int32_t* stage, int8_t* out, int32_t row_bytes, int32_t column_bytes,
                    int positive, int divided) {
  const uint32_t m1 = m[M_WORDS], m2 = m[2 * M_WORDS];
  (void)row_bytes, (void)divided;
  out[0] = wvv_output(stage[0] + (int32_t)(m[0] + m1 + m2), stage, positive);
  out[column_bytes] = wvv_output(stage[0] + (int32_t)(m1 - m2 + m[3 * M_WORDS]), stage, positive);
}

WVV_DEFINE_OUTPUTS(wvv_f2x1_output, 1, POINTS, one_row, 1)
