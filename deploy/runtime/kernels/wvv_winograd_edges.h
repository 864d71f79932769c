/* What the transforms of every Winograd variant share: tiles that reach over an edge, channels and outputs left over.
 * For inclusion in C files of `wvv_winograd.h`. */
#ifndef WVV_WINOGRAD_EDGES_H_
#define WVV_WINOGRAD_EDGES_H_

#include "wvv_requantize.h"

enum { WVV_WORD = 4, WVV_LARGEST_TILE = 6, WVV_LARGEST_OUTPUT = 4 };

/* Transforms one tile of four channels, `row_bytes` and `column_bytes` between its words; taps of V are `step` bytes
 * apart, and `constant` is the variant's own. */
typedef void wvv_quad(const int8_t* x, int32_t row_bytes, uint32_t* v, int32_t step, int32_t column_bytes,
                      uint32_t constant);

/* Transforms two neighbouring outputs of one tile and stores its pixels `row_bytes` and `column_bytes` apart. */
typedef void wvv_two_outputs(const uint32_t* m, const int32_t* stage, int8_t* out, int32_t row_bytes,
                             int32_t column_bytes);

/* The word at a place of an image, or what there is of it. */
static inline uint32_t wvv_load_part(const int8_t* image, int32_t place, int32_t bytes) {
  uint32_t word = 0;
  memcpy(&word, image + place, bytes - place < WVV_WORD ? (size_t)(bytes - place) : sizeof word);
  return word;
}

static inline int32_t wvv_within(int32_t place, int32_t tile) { return place < 0 ? 0 : place > tile ? tile : place; }

/* A whole tile of an image, quad after quad; `wvv_winograd.h` has the arguments. A tile that reaches over an edge goes
 * by way of a patch of words, of which only what lies on the image is copied. Where channels do not fill the last word
 * it ends in those of the next pixel, whose weights are zero; behind the image nothing is read. */
static inline __attribute__((always_inline)) void wvv_transform_tile(const int8_t* image, uint32_t* v, int32_t row,
                                                                     int32_t column, int32_t height, int32_t width,
                                                                     int32_t channels, int32_t zero_point,
                                                                     int32_t tile_h, int32_t tile_w, wvv_quad* quad,
                                                                     uint32_t constant) {
  const int32_t step = (channels + 3) / WVV_WORD * (4 * WVV_WORD), row_bytes = width * channels;
  const int32_t first = row * row_bytes + column * channels;
  const int32_t top = wvv_within(-row, tile_h), bottom = wvv_within(height - row, tile_h);
  const int32_t left = wvv_within(-column, tile_w), right = wvv_within(width - column, tile_w);
  const int whole = top == 0 && left == 0 && bottom == tile_h && right == tile_w;
  const int32_t bytes = height * row_bytes, last_quad = step / WVV_WORD - WVV_WORD;
  const int32_t end = first + (bottom - 1) * row_bytes + (right - 1) * channels + last_quad + WVV_WORD;
  const int safe = end <= bytes, direct = whole && safe;
  uint32_t patch[WVV_LARGEST_TILE * WVV_LARGEST_TILE];
  if (!direct) {
    for (int32_t k = 0; k < tile_h * tile_w; ++k) {
      patch[k] = (uint8_t)zero_point * 0x01010101u;
    }
  }
  for (int32_t channel = 0; channel < channels; channel += WVV_WORD, v += 4) {
    if (direct) {
      quad(image + (first + channel), row_bytes, v, step, channels, constant);
      continue;
    }
    for (int32_t h = top; h < bottom; ++h) {
      int32_t from = first + h * row_bytes + left * channels + channel;
      uint32_t* to = patch + h * tile_w + left;
#pragma GCC unroll 1
      for (int32_t count = right - left; count > 0; --count, from += channels) {
        *to++ = safe ? wvv_load4(image + from) : wvv_load_part(image, from, bytes);
      }
    }
    quad((const int8_t*)patch, tile_w * WVV_WORD, v, step, WVV_WORD, constant);
  }
}

/* Two outputs of a tile of `tile_h` x `tile_w` pixels; see `wvv_f4_output` for the arguments. Where pixels or an output are
 * left over, they are stored by way of a tile of their own. */
static inline __attribute__((always_inline)) void wvv_store_tile(const uint32_t* m, const int32_t* stage, int8_t* out,
                                                                 int32_t rows, int32_t columns, int32_t outputs,
                                                                 int32_t width, int32_t channels, int32_t tile_h,
                                                                 int32_t tile_w, wvv_two_outputs* two_outputs) {
  if (rows >= tile_h && columns >= tile_w && outputs == 2) {
    two_outputs(m, stage, out, width * channels, channels);
    return;
  }
  int8_t tile[WVV_LARGEST_OUTPUT * WVV_LARGEST_OUTPUT * 2];
  two_outputs(m, stage, tile, 2 * tile_w, 2);
  for (int32_t row = 0; row < rows && row < tile_h; ++row) {
    for (int32_t column = 0; column < columns && column < tile_w; ++column) {
      for (int32_t output = 0; output < outputs; ++output) {
        out[(row * width + column) * channels + output] = tile[(row * tile_w + column) * 2 + output];
      }
    }
  }
}

#define WVV_DEFINE_INPUT(name, tile_h, tile_w, quad, constant)                                                     \
  void name(const int8_t* image, uint32_t* v, int32_t row, int32_t column, int32_t height, int32_t width,          \
            int32_t channels, int32_t zero_point) {                                                                \
    wvv_transform_tile(image, v, row, column, height, width, channels, zero_point, tile_h, tile_w, quad, constant); \
  }

#define WVV_DEFINE_OUTPUT(name, tile_h, tile_w, two_outputs)                                                       \
  void name(const uint32_t* m, const int32_t* stage, int8_t* out, int32_t rows, int32_t columns, int32_t outputs,  \
            int32_t width, int32_t channels) {                                                                     \
    wvv_store_tile(m, stage, out, rows, columns, outputs, width, channels, tile_h, tile_w, two_outputs);           \
  }

/* The two outputs one after the other: `one_output` is a function of the same arguments, whether the clamp begins at
 * the zero point, and whether results are to be divided by the algorithm's scale. */
#define WVV_DEFINE_OUTPUTS(name, tile_h, tile_w, one_output, divided)                                              \
  static void name##_any(const uint32_t* m, const int32_t* stage, int8_t* out, int32_t row_bytes,                  \
                         int32_t column_bytes) {                                                                   \
    for (int k = 0; k < 2; ++k) {                                                                                  \
      one_output(m + k, stage + k * WVV_STAGE_WORDS, out + k, row_bytes, column_bytes, 0, divided);                \
    }                                                                                                              \
  }                                                                                                                \
  static void name##_only_positive(const uint32_t* m, const int32_t* stage, int8_t* out, int32_t row_bytes,        \
                                   int32_t column_bytes) {                                                         \
    for (int k = 0; k < 2; ++k) {                                                                                  \
      one_output(m + k, stage + k * WVV_STAGE_WORDS, out + k, row_bytes, column_bytes, 1, divided);                \
    }                                                                                                              \
  }                                                                                                                \
  WVV_DEFINE_OUTPUT(name, tile_h, tile_w, name##_any)                                                              \
  WVV_DEFINE_OUTPUT(name##_positive, tile_h, tile_w, name##_only_positive)

#endif
