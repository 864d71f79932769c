#include "wvv_conv2d.h"

#include <stdbool.h>
#include <string.h>

#include "wvv_columns.h"
#include "wvv_gemm.h"
#include "wvv_window.h"

/* The last 1 to 3 bytes of each row, one after the other. */
static void expand_tails(uint32_t *to, const int8_t *first, const int8_t *second, int32_t row_bytes, int32_t rows,
                         int32_t bytes) {
  uint32_t a = 0, b = 0, place = 0;
  if (bytes == 1 && rows <= 4) {
    /* 3x3 windows of three channels: what a network's first layer mostly is. */
    for (int32_t row = 0; row < rows; ++row, place += 8, first += row_bytes, second += row_bytes) {
      a |= (uint32_t)(uint8_t)*first << place;
      b |= (uint32_t)(uint8_t)*second << place;
    }
    wvv_put_pair(to, a, b);
    return;
  }
  for (int32_t row = 0; row < rows; ++row, first += row_bytes, second += row_bytes) {
    for (int32_t k = 0; k < bytes; ++k) {
      a |= (uint32_t)(uint8_t)first[k] << place;
      b |= (uint32_t)(uint8_t)second[k] << place;
      place += 8;
      if (place == 32) {
        to = wvv_put_pair(to, a, b);
        a = b = place = 0;
      }
    }
  }
  if (place != 0) {
    wvv_put_pair(to, a, b);
  }
}

/* Two windows of `rows` rows of `run` bytes. */
static void expand(uint32_t *to, const int8_t *first, const int8_t *second, int32_t row_bytes, int32_t rows,
                   int32_t run) {
  const int32_t words = run >> 2, rest = run & 3;
  const int8_t *const tail_a = first + 4 * words, *const tail_b = second + 4 * words;
  for (int32_t row = 0; row < rows; ++row, first += row_bytes, second += row_bytes) {
    to = wvv_expand_run(to, first, second, words);
  }
  if (rest != 0) {
    expand_tails(to, tail_a, tail_b, row_bytes, rows, rest);
  }
}

/* One or two pixels; an odd number of channels goes through rows that have room for one more. */
static inline void multiply(const struct wvv_gemm *job, int8_t *y0, int8_t *y1, int32_t outputs, int8_t *rows) {
  if ((outputs & 1) == 0) {
    wvv_gemm_pair(job, y0, y1);
    return;
  }
  wvv_gemm_pair(job, rows, rows + outputs + 1);
  memcpy(y1, rows + outputs + 1, (size_t)outputs);
  memcpy(y0, rows, (size_t)outputs);
}

void wvv_conv2d(const int8_t *x, const int32_t *weights, const int32_t *layer, int8_t *y, int32_t *scratch) {
  const struct wvv_layer *const l = (const struct wvv_layer *)layer;
  const int32_t run = l->kernel_w * l->channels, row_bytes = l->width * l->channels;
  const struct wvv_inside within = wvv_inside_of(l, l->kernel_h - 1, l->kernel_w - 1);
  const int32_t pair_words = WVV_BIAS_WORDS + WVV_GROUP_WORDS * l->groups + WVV_SCALE_WORDS;
  uint32_t *const columns = (uint32_t *)scratch;
  uint32_t *const columns_end = columns + WVV_GROUP_WORDS * l->groups;
  int8_t *const windows = (int8_t *)columns_end;
  int8_t *const rows = (int8_t *)(columns_end + 2 * l->window_words);
  const struct wvv_gemm job = {
      columns,
      columns_end,
      weights,
      weights + pair_words * ((l->outputs + 1) >> 1),
      l->finish,
      0x01010101u * (uint8_t)l->low,
      0x01010101u * (uint8_t)l->high,
  };
  int32_t left = l->batch * l->out_height * l->out_width;
  if (run == l->channels && l->kernel_h == 1 && l->stride_h == 1 && l->stride_w == 1 && l->window_words == 0) {
    /* Windows are pixels, and lie one after the other. */
    for (; left > 0; left -= 2, x += 2 * run, y += 2 * l->outputs) {
      const int32_t more = left > 1;
      expand(columns, x, x + more * run, 0, 1, run);
      multiply(&job, y, y + more * l->outputs, l->outputs, rows);
    }
    return;
  }
  const bool dense = l->dilation_w == 1 && l->dilation_h == 1;
  struct wvv_place at = wvv_first_place(x, l, &within);
  for (; left > 0; left -= 2) {
    const struct wvv_place first = at;
    if (left > 1) {
      wvv_advance(&at, l, &within);
    }
    if (dense && wvv_is_inside(&first, &within) && wvv_is_inside(&at, &within)) {
      expand(columns, first.image + first.offset, at.image + at.offset, row_bytes, l->kernel_h, run);
    } else {
      wvv_gather(windows, &first, l);
      wvv_gather(windows + 4 * l->window_words, &at, l);
      expand(columns, windows, windows + 4 * l->window_words, run, l->kernel_h, run);
    }
    multiply(&job, y, left > 1 ? y + l->outputs : y, l->outputs, rows);
    wvv_advance(&at, l, &within);
    y += 2 * l->outputs;
  }
}
