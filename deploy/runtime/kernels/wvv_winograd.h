/* Winograd convolution: input transform, products, output transform with requantization.
 *
 * Two tiles and two outputs are worked on together. Channels go in quads, the last one filled up with zero weights;
 * of a quad, pair 0 holds channels 0 and 2, pair 1 channels 1 and 3.
 *   V [tap][quad][pair][tile]     U [two outputs][tap][quad][pair][output]     M [tap][tile][output]       words
 * Exact, in int16: sums of products, and all that follows up to the division by the algorithm's scale, wrap modulo
 * 2^32. In 8 bits ("8" in a name): V is rounded where it lies, U is bytes, and M is rounded before it is stored. */
#ifndef WVV_WINOGRAD_H_
#define WVV_WINOGRAD_H_

#include <stdint.h>

/* wvv_product_<q>: M = U V for all taps, of q quads of channels. wvv_product_<q>n: of q * rounds quads. */
#define WVV_EACH_COUNT_OF_QUADS(of) \
  of(1) of(2) of(3) of(4) of(5) of(6) of(7) of(8) of(9) of(10) of(11) of(12) of(13) of(14) of(15) of(16)
#define WVV_DECLARE(quads)                                                                    \
  void wvv_product_##quads(const uint32_t* v, const int32_t* u, uint32_t* m, int32_t taps);  \
  void wvv_product_##quads##n(const uint32_t* v, const int32_t* u, uint32_t* m, int32_t taps, int32_t rounds);
WVV_EACH_COUNT_OF_QUADS(WVV_DECLARE)
#undef WVV_DECLARE

/* Rounds V to 8 bits: (V * mantissa / 2^16 + addend) / 2^places, saturated, times 2^raise. `stage` is mantissa and
 * addend of each tap, which has so many words of V. */
void wvv_round8(uint32_t* v, const int32_t* stage, int32_t taps, int32_t words, int32_t places, int32_t raise);

/* The products of U in bytes, sums rounded to 8 bits and weighted: clip(M * mantissa / 2^32) * factor.
 * U is [two outputs][tap], of each: words [quad][pair] whose halves are 256 u1 + u0, u1 and u0 of the two outputs; two
 * mantissas; two factors of 16 bits in one word. In front of that wvv_product8_<q>n has what the two sums start from,
 * s0 and 256 s1 + s0. Sums are less than 2^23. */
#define WVV_DECLARE(quads)                                                                     \
  void wvv_product8_##quads(const uint32_t* v, const int32_t* u, uint32_t* m, int32_t taps);  \
  void wvv_product8_##quads##n(const uint32_t* v, const int32_t* u, uint32_t* m, int32_t taps, int32_t rounds);
WVV_EACH_COUNT_OF_QUADS(WVV_DECLARE)
#undef WVV_DECLARE

/* Holds `count` outputs within a range that is narrower than int8's. */
void wvv_clamp(int8_t* out, int32_t count, int32_t low, int32_t high);

/* The transforms of a variant.
 *
 * Input: where a tile reads its image, the place of its first pixel, which may lie outside, in an image of that size.
 * What is outside of it counts as `zero_point`. V is that of all channels; of f2x1 and f4x1, that of the three rows of
 * a kernel, which stand for three times as many quads.
 * Output: two output channels of one tile, or the first of them, by stages of `wvv_requantize.h`. Of the tile, `rows` x
 * `columns` pixels are stored, or all of them where it is more, in an image of that width and so many channels.
 * `positive`: the clamp begins at the zero point. `output8` takes sums that are not to be divided by the scale. */
#define WVV_DECLARE_OUTPUT(name)                                                                                   \
  void name(const uint32_t* m, const int32_t* stage, int8_t* out, int32_t rows, int32_t columns, int32_t outputs,  \
            int32_t width, int32_t channels);                                                                      \
  void name##_positive(const uint32_t* m, const int32_t* stage, int8_t* out, int32_t rows, int32_t columns,        \
                       int32_t outputs, int32_t width, int32_t channels);
#define WVV_DECLARE(variant)                                                                                       \
  void wvv_##variant##_input(const int8_t* image, uint32_t* v, int32_t row, int32_t column, int32_t height,        \
                             int32_t width, int32_t channels, int32_t zero_point);                                 \
  WVV_DECLARE_OUTPUT(wvv_##variant##_output)
WVV_DECLARE(f2)
WVV_DECLARE(f4)
WVV_DECLARE(f4c)
WVV_DECLARE(f2x1)
WVV_DECLARE(f4x1)
WVV_DECLARE_OUTPUT(wvv_f2_output8)
WVV_DECLARE_OUTPUT(wvv_f4_output8)
WVV_DECLARE_OUTPUT(wvv_f4c_output8)
#undef WVV_DECLARE
#undef WVV_DECLARE_OUTPUT

#endif
