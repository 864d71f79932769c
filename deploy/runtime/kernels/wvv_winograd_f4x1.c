/* F(4, 3) along the width, over the points of `wvv_winograd_f4_input.c`, where the formulas and the two channels in one
 * number are explained. The three rows of a kernel are three runs of channels, which one product sums up.
 *
 * Sums are 24 y, or 12 y where the outer factor 2 stays out; times the inverse of 3 modulo 2^32 they are 8 or 4 y. */
#include "wvv_winograd.h"
#include "wvv_winograd_edges.h"
#include "wvv_winograd_f4.h"

enum { TILE = 6, POINTS = 4, KERNEL = 3, M_WORDS = 4 };

static const uint32_t inverse_of_3 = 0xaaaaaaabu;

static inline __attribute__((always_inline)) void one_pair(const uint32_t d[TILE], uint32_t* v, int32_t step,
                                                           uint32_t constant) {
  uint32_t made[TILE];
  wvv_f4_into(d, 1, made);
  made[1] += constant;
  for (int k = 0; k < TILE; ++k) {
    v[k * step] = made[k] ^ 0x8000u;
  }
}

/* `constant` makes up for the row of the point 1, which sums to -6. */
static void quad(const int8_t* x, int32_t row_bytes, uint32_t* v, int32_t step, int32_t column_bytes,
                 uint32_t constant) {
  step /= WVV_WORD;
#pragma GCC unroll 1
  for (int row = 0; row < KERNEL; ++row, x += row_bytes, v += step) {
    uint32_t even[TILE], odd[TILE];
    for (int k = 0; k < TILE; ++k) {
      const uint32_t word = wvv_load4(x + k * column_bytes), offset = k >= 4 ? 0x8000u : 0;
      even[k] = wvv_sxtab16(0x00800080u, word) + offset;
      odd[k] = wvv_sxtab16_ror8(0x00800080u, word) + offset;
    }
    one_pair(even, v, KERNEL * step, constant);
    one_pair(odd, v + 2, KERNEL * step, constant);
  }
}

WVV_DEFINE_INPUT(wvv_f4x1_input, KERNEL, TILE, quad, (uint32_t)(6 * (zero_point + 128)) * 0x10001u)

static inline __attribute__((always_inline)) void one_output(const uint32_t* m, const int32_t* stage, int8_t* out,
                                                             int32_t row_bytes, int32_t column_bytes, int positive,
                                                             int divided) {
  uint32_t y[POINTS];
  (void)row_bytes, (void)divided;
  wvv_f4_back(m, M_WORDS, y);
  for (int column = 0; column < POINTS; ++column) {
    const int32_t doubled = wvv_asr(y[column] * inverse_of_3, 2 - (column > 0));
    out[column * column_bytes] = wvv_output(stage[0] + doubled, stage, positive);
  }
}

WVV_DEFINE_OUTPUTS(wvv_f4x1_output, 1, POINTS, one_output, 1)
