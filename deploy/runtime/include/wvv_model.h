/* The one value by which firmware knows a compiled model.
 *
 * The generator writes `wvv_model.c`, which defines `wvv_model`; `main.c` fills the input buffers with one example,
 * calls `run` and reads the output buffers.  Nothing else of the generated code is visible to the firmware.
 */
#ifndef WVV_MODEL_H
#define WVV_MODEL_H

#include <stdint.h>

struct wvv_model {
  const char *name;
  uint32_t input_count;
  uint32_t output_count;
  uint32_t layer_count;
  const uint32_t *input_bytes;  /* bytes of one example of each input, in the model's order */
  const uint32_t *output_bytes; /* the same for the outputs */
  void *const *inputs;          /* static buffers that hold one example */
  void *const *outputs;
  int32_t (*run)(void); /* 0 on success */
};

extern const struct wvv_model wvv_model;

/* Generated code calls `wvv_layer_mark(WVV_LAYER_START)` before its first layer and `wvv_layer_mark(k)` after layer k.
 * Without WVV_PROFILE the calls vanish, so that the measured firmware differs from the shipped one only by them. */
#define WVV_LAYER_START 0xffffffffu
#ifdef WVV_PROFILE
void wvv_layer_mark(uint32_t layer);
#else
#define wvv_layer_mark(layer) ((void)0)
#endif

#endif
