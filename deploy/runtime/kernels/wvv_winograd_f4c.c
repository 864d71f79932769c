/* Transforms of F(4x4, 3x3) over the points 0, 1, -1, infinity, i and -i, the last two as one pair of real numbers.
 *
 * Input, in one dimension: four real values, then real and imaginary part of the pair.
 *   v0 = d0 - d4    v1 = d1 + d2 + d3 + d4    v2 = d2 - d1 + d4 - d3    v3 = d5 - d1    re = d4 - d2    im = d3 - d1
 * In two dimensions 16 products are real; the others belong to complex numbers of three products k1, k2, k3 each. Of
 * 4 of rows and 4 of columns the operands are re - im, re, im, and (k1 + k2) + (k1 + k3) i is the product; of 2 of both
 * they are re + im, re, im, and it is (k1 - k3) + (k1 + k2) i. Inputs without their zero point fit 9 bits, V 14 bits:
 * pairs are added half by half. */
#include "wvv_winograd.h"
#include "wvv_winograd_edges.h"

enum { TILE = 6, POINTS = 4, REAL = 4, OF_ROWS = 16, OF_COLUMNS = 28, OF_BOTH = 40, THREE = 3, M_WORDS = 4 };

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS void into(uint32_t d0, uint32_t d1, uint32_t d2, uint32_t d3, uint32_t d4, uint32_t d5, uint32_t v[TILE]) {
  const uint32_t even = wvv_sadd16(d2, d4), odd = wvv_sadd16(d1, d3);
  v[0] = wvv_ssub16(d0, d4);
  v[1] = wvv_sadd16(even, odd);
  v[2] = wvv_ssub16(even, odd);
  v[3] = wvv_ssub16(d5, d1);
  v[4] = wvv_ssub16(d4, d2);
  v[5] = wvv_ssub16(d3, d1);
}

/* The three operands of a complex number, the first of them given. */
ALWAYS void operands(uint32_t first, uint32_t re, uint32_t im, uint32_t* v, int32_t step) {
  v[0] = first;
  v[step] = re;
  v[2 * step] = im;
}

ALWAYS void operands_of_one(uint32_t re, uint32_t im, uint32_t* v, int32_t step) {
  operands(wvv_ssub16(re, im), re, im, v, step);
}

ALWAYS void operands_of_both(uint32_t re, uint32_t im, uint32_t* v, int32_t step) {
  operands(wvv_sadd16(re, im), re, im, v, step);
}

ALWAYS void columns_of(const int8_t* x, int32_t row_bytes, int32_t column_bytes, uint32_t centre,
                       uint32_t scratch[2][TILE][TILE]) {
#pragma GCC unroll 1
  for (int column = 0; column < TILE; ++column, x += column_bytes) {
    const int8_t* lower = x + 3 * row_bytes;
    const uint32_t w0 = wvv_load4(x), w1 = wvv_load4(x + row_bytes), w2 = wvv_load4(x + 2 * row_bytes);
    const uint32_t w3 = wvv_load4(lower), w4 = wvv_load4(lower + row_bytes), w5 = wvv_load4(lower + 2 * row_bytes);
    uint32_t v[TILE];
    into(wvv_sxtab16(centre, w0), wvv_sxtab16(centre, w1), wvv_sxtab16(centre, w2), wvv_sxtab16(centre, w3),
         wvv_sxtab16(centre, w4), wvv_sxtab16(centre, w5), v);
    for (int k = 0; k < TILE; ++k) {
      scratch[0][k][column] = v[k];
    }
    into(wvv_sxtab16_ror8(centre, w0), wvv_sxtab16_ror8(centre, w1), wvv_sxtab16_ror8(centre, w2),
         wvv_sxtab16_ror8(centre, w3), wvv_sxtab16_ror8(centre, w4), wvv_sxtab16_ror8(centre, w5), v);
    for (int k = 0; k < TILE; ++k) {
      scratch[1][k][column] = v[k];
    }
  }
}

ALWAYS void rows_of(const uint32_t scratch[TILE][TILE], uint32_t* v, int32_t step) {
  uint32_t upper[TILE], lower[TILE];
#pragma GCC unroll 1
  for (int row = 0; row < REAL; ++row) {
    const uint32_t* s = scratch[row];
    into(s[0], s[1], s[2], s[3], s[4], s[5], upper);
    uint32_t* real = v + row * REAL * step;
    real[0] = upper[0];
    real[step] = upper[1];
    real[2 * step] = upper[2];
    real[3 * step] = upper[3];
    operands_of_one(upper[4], upper[5], v + (OF_ROWS + THREE * row) * step, step);
  }
  const uint32_t *re = scratch[REAL], *im = scratch[REAL + 1];
  into(re[0], re[1], re[2], re[3], re[4], re[5], upper);
  into(im[0], im[1], im[2], im[3], im[4], im[5], lower);
  for (int column = 0; column < REAL; ++column) {
    operands_of_one(upper[column], lower[column], v + (OF_COLUMNS + THREE * column) * step, step);
  }
  v += OF_BOTH * step;
  operands_of_both(wvv_ssub16(upper[4], lower[5]), wvv_sadd16(upper[5], lower[4]), v, step);
  operands_of_both(wvv_sadd16(upper[4], lower[5]), wvv_ssub16(lower[4], upper[5]), v + THREE * step, step);
}

static void quad(const int8_t* x, int32_t row_bytes, uint32_t* v, int32_t step, int32_t column_bytes,
                 uint32_t centre) {
  uint32_t scratch[2][TILE][TILE];
  columns_of(x, row_bytes, column_bytes, centre, scratch);
#pragma GCC unroll 1
  for (int pair = 0; pair < 2; ++pair) {
    rows_of(scratch[pair], v + 2 * pair, step / WVV_WORD);
  }
}

WVV_DEFINE_INPUT(wvv_f4c_input, TILE, TILE, quad, (uint32_t)wvv_pair(-zero_point, -zero_point))

/* 4 y from real values and a complex number, of which twice the real part counts. */
ALWAYS void out_of(uint32_t m0, uint32_t m1, uint32_t m2, uint32_t m3, uint32_t re, uint32_t im, uint32_t* y,
                   int step) {
  const uint32_t even = m1 + m2, odd = m1 - m2;
  y[0] = even + ((m0 + re) << 1);
  y[step] = odd - (im << 1);
  y[2 * step] = even - (re << 1);
  y[3 * step] = odd + ((m3 + im) << 1);
}

/* The same where real parts of two conjugate numbers have been added up already. */
ALWAYS void out_of_sums(const uint32_t real[REAL], uint32_t re, uint32_t im, uint32_t* y, int step) {
  const uint32_t even = real[1] + real[2], odd = real[1] - real[2];
  y[0] = even + (real[0] << 1) + re;
  y[step] = odd - im;
  y[2 * step] = even - re;
  y[3 * step] = odd + (real[3] << 1) + im;
}

static inline uint32_t real_of_one(const uint32_t* k) { return k[0] + k[M_WORDS]; }
static inline uint32_t imaginary_of_one(const uint32_t* k) { return k[0] + k[2 * M_WORDS]; }
static inline uint32_t real_of_both(const uint32_t* k) { return k[0] - k[2 * M_WORDS]; }
static inline uint32_t imaginary_of_both(const uint32_t* k) { return k[0] + k[M_WORDS]; }

ALWAYS void one_output(const uint32_t* m, const int32_t* stage, int8_t* out, int32_t row_bytes, int32_t column_bytes,
                       int positive, int divided) {
  const int32_t away = wvv_away_from_zero(stage, positive);
  uint32_t scratch[POINTS][TILE], re[REAL], im[REAL], y[POINTS];
#pragma GCC unroll 1
  for (int k = 0; k < REAL; ++k) {
    const uint32_t *column = m + k * M_WORDS, *number = m + (OF_COLUMNS + THREE * k) * M_WORDS;
    out_of(column[0], column[4 * M_WORDS], column[8 * M_WORDS], column[12 * M_WORDS], real_of_one(number),
           imaginary_of_one(number), &scratch[0][k], TILE);
    number = m + (OF_ROWS + THREE * k) * M_WORDS;
    re[k] = real_of_one(number);
    im[k] = imaginary_of_one(number);
  }
  const uint32_t *one = m + OF_BOTH * M_WORDS, *other = one + THREE * M_WORDS;
  const uint32_t re1 = real_of_both(one), im1 = imaginary_of_both(one);
  const uint32_t re2 = real_of_both(other), im2 = imaginary_of_both(other);
  out_of_sums(re, re1 + re2, im1 + im2, &scratch[0][4], TILE);
  out_of_sums(im, im1 - im2, re2 - re1, &scratch[0][5], TILE);
#pragma GCC unroll 1
  for (int row = 0; row < POINTS; ++row, out += row_bytes) {
    const uint32_t* s = scratch[row];
    out_of(s[0], s[1], s[2], s[3], s[4], s[5], y, 1);
    for (int column = 0; column < POINTS; ++column) {
      out[column * column_bytes] =
          divided ? wvv_output(stage[0] + wvv_asr(y[column], 3), stage, positive)
                  : wvv_output_any(stage[0] + (int32_t)(y[column] << 1), stage, away);
    }
  }
}

WVV_DEFINE_OUTPUTS(wvv_f4c_output, POINTS, POINTS, one_output, 1)
WVV_DEFINE_OUTPUTS(wvv_f4c_output8, POINTS, POINTS, one_output, 0)
