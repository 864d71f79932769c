#include "wvv_window.h"

#include <string.h>

void wvv_gather(int8_t *to, const struct wvv_place *at, const struct wvv_layer *l) {
  const int32_t channels = l->channels, run = l->kernel_w * channels, left = at->column * l->stride_w - l->left;
  memset(to, l->zero_point, (size_t)(l->kernel_h * run));
  for (int32_t ky = 0, row = at->top; ky < l->kernel_h; ++ky, row += l->dilation_h, to += run) {
    if (row < 0 || row >= l->height) {
      continue;
    }
    const int32_t corner = row * l->width + left; /* may lie before the image; taps that are read do not */
    if (l->dilation_w == 1) {
      const int32_t begin = left < 0 ? -left : 0;
      const int32_t end = left + l->kernel_w > l->width ? l->width - left : l->kernel_w;
      if (begin < end) {
        memcpy(to + begin * channels, at->image + (corner + begin) * channels, (size_t)((end - begin) * channels));
      }
      continue;
    }
    for (int32_t kx = 0, column = left; kx < l->kernel_w; ++kx, column += l->dilation_w) {
      if (column >= 0 && column < l->width) {
        memcpy(to + kx * channels, at->image + (corner + kx * l->dilation_w) * channels, (size_t)channels);
      }
    }
  }
}
