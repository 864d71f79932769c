/* int8 average pooling, NHWC, one image. */
#include "wvv_cmsis_nn.h"

int32_t wvv_cmsis_nn_average_pool_scratch(const int32_t *parameters) {
  const struct wvv_cmsis_nn_window *p = (const struct wvv_cmsis_nn_window *)parameters;
  return arm_avgpool_s8_get_buffer_size(p->out_w, p->c);
}

void wvv_cmsis_nn_average_pool(const int8_t *x, const int32_t *parameters, int8_t *y, int32_t *scratch,
                               int32_t scratch_bytes) {
  const struct wvv_cmsis_nn_window *p = (const struct wvv_cmsis_nn_window *)parameters;
  const cmsis_nn_pool_params how = {
      .stride = wvv_tile(p->stride_h, p->stride_w),
      .padding = wvv_tile(p->pad_h, p->pad_w),
      .activation = wvv_cmsis_nn_clamp(p->least, p->greatest),
  };
  const cmsis_nn_dims input = wvv_input_dims(p), output = wvv_output_dims(p);
  const cmsis_nn_dims filter = {.n = 1, .h = p->kernel_h, .w = p->kernel_w, .c = 1};
  const cmsis_nn_context context = wvv_context(scratch, scratch_bytes);
  if (wvv_cmsis_nn_fits(wvv_cmsis_nn_average_pool_scratch(parameters), scratch_bytes)) {
    wvv_cmsis_nn_note(arm_avgpool_s8(&context, &how, &input, x, &filter, &output, y));
  }
}
