#include "wvv_depthwise.h"

#include <string.h>

#include "wvv_gemm.h"
#include "wvv_window.h"

/* One row of the image within its padding, `columns` wide; `row` counts from the image's first. */
static void pad_row(int8_t *to, const int8_t *image, int32_t row, int32_t columns, const struct wvv_layer *l) {
  const int32_t begin = l->left < columns ? l->left : columns;
  const int32_t end = l->left + l->width < columns ? l->left + l->width : columns;
  if (row < 0 || row >= l->height || begin >= end) {
    memset(to, l->zero_point, (size_t)(columns * l->channels));
    return;
  }
  memset(to, l->zero_point, (size_t)(begin * l->channels));
  memcpy(to + begin * l->channels, image + row * l->width * l->channels, (size_t)((end - begin) * l->channels));
  memset(to + end * l->channels, l->zero_point, (size_t)((columns - end) * l->channels));
}

/* All output rows of one image, through a ring of padded rows that each are copied once. */
static int8_t *by_rows(const struct wvv_depthwise *job, const int8_t *image, const struct wvv_layer *l, int8_t *y,
                       int8_t *ring) {
  const int32_t span = (l->kernel_h - 1) * l->dilation_h + 1;
  const int32_t columns = (l->out_width - 1) * l->stride_w + (l->kernel_w - 1) * l->dilation_w + 1;
  const int32_t row_bytes = columns * l->channels;
  int32_t ready = 0; /* rows before this one, counted with the padding, are or have been in the ring */
  for (int32_t oy = 0, first = 0; oy < l->out_height; ++oy, first += l->stride_h) {
    for (ready = ready < first ? first : ready; ready < first + span; ++ready) {
      pad_row(ring + ready % span * row_bytes, image, ready - l->top, columns, l);
    }
    const int8_t *rows[3];
    for (int32_t ky = 0; ky < 3; ++ky) {
      rows[ky] = ring + (first + ky * l->dilation_h) % span * row_bytes;
    }
    for (int32_t ox = 0; ox < l->out_width; ++ox, y += l->channels) {
      wvv_depthwise_pixel(job, rows, y);
      for (int32_t ky = 0; ky < 3; ++ky) {
        rows[ky] += l->stride_w * l->channels;
      }
    }
  }
  return y;
}

/* All output pixels of one image, which lies in place; windows that leave it are copied. */
static int8_t *by_windows(const struct wvv_depthwise *job, const int8_t *image, const struct wvv_layer *l, int8_t *y,
                          int8_t *window) {
  const struct wvv_inside within =
      wvv_inside_of(l, (l->kernel_h - 1) * l->dilation_h, (l->kernel_w - 1) * l->dilation_w);
  struct wvv_depthwise gathered = *job;
  gathered.step = l->channels;
  struct wvv_place at = wvv_first_place(image, l, &within);
  for (int32_t left = l->out_height * l->out_width; left > 0; --left, y += l->channels) {
    const bool inside = wvv_is_inside(&at, &within);
    if (!inside) {
      wvv_gather(window, &at, l);
    }
    const int8_t *const first = inside ? image + at.offset : window;
    const int32_t row_bytes = inside ? l->dilation_h * l->width * l->channels : l->kernel_w * l->channels;
    const int8_t *const rows[3] = {first, first + row_bytes, first + 2 * row_bytes};
    wvv_depthwise_pixel(inside ? job : &gathered, rows, y);
    wvv_advance(&at, l, &within);
  }
  return y;
}

void wvv_depthwise(const int8_t *x, const int32_t *weights, const int32_t *layer, int8_t *y, int32_t *scratch) {
  const struct wvv_layer *const l = (const struct wvv_layer *)layer;
  const struct wvv_depthwise job = {
      weights,
      weights + WVV_QUAD_WORDS * (l->channels >> 2),
      l->dilation_w * l->channels,
      l->finish,
      0x01010101u * (uint8_t)l->low,
      0x01010101u * (uint8_t)l->high,
  };
  for (int32_t n = 0; n < l->batch; ++n, x += l->height * l->width * l->channels) {
    y = (l->groups ? by_rows : by_windows)(&job, x, l, y, (int8_t *)scratch);
  }
}
