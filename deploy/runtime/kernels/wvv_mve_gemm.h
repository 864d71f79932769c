/* One or two columns of int8 inputs times all output channels, four by four: where convolutions and fully connected
 * layers on cores with vectors spend their time.
 *
 * Taps go in vectors of 16. `weights` is one stream; for each four channels it holds four biases, for each vector of
 * taps that of each channel, four mantissas, and four right shifts, negated. Weights fill up the last vector of taps
 * and the last four channels with zeros; of a column, what lies behind its taps may be anything.
 *
 *     y = clamp(round(round(sum * mantissa / 2^31) / 2^right) + zero point)
 *
 * The first rounding takes halves up, the second away from zero (numerics.md, N17); what the vector shift rounds is
 * half up, so of a negative number one is taken away before. Sums wrap modulo 2^32. */
#ifndef WVV_MVE_GEMM_H_
#define WVV_MVE_GEMM_H_

#include <stdint.h>

enum { WVV_VECTOR = 16, WVV_CHANNELS = 4 };

/* The loop over vectors is unrolled so many times; its first round is the one that is not whole. */
#define WVV_MVE_UNROLLED 9

struct wvv_mve_gemm {
  const int32_t *weights;
  int32_t bytes;        /* of a column, whole vectors */
  int32_t first;        /* vectors of the first round: 1 to WVV_MVE_UNROLLED */
  int32_t outputs;      /* channels */
  int32_t zero_point;
  int32_t finish;       /* enum wvv_mve_finish */
  int32_t low, high;
};

/* Where the clamp begins at the zero point or above, no negative number shows. */
enum wvv_mve_finish { WVV_MVE_SIGNED = 0, WVV_MVE_POSITIVE = 1 };

/* Writes all channels of two pixels, or of one. y1 may be y0 where x1 is x0. */
void wvv_mve_gemm_pair(const struct wvv_mve_gemm *job, const int8_t *x0, const int8_t *x1, int8_t *y0, int8_t *y1);
void wvv_mve_gemm_one(const struct wvv_mve_gemm *job, const int8_t *x, int8_t *y);

/* The same in plain C, for cores without the instructions and for comparison. */
void wvv_mve_gemm_one_portable(const struct wvv_mve_gemm *job, const int8_t *x, int8_t *y);

#endif
