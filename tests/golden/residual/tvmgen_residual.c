#include "tvmgen_residual.h"

#include "residual_kernels.h"
#include "residual_weights.h"

#ifdef WVV_PROFILE
#include "wvv_model.h"
#else
#define wvv_layer_mark(layer) ((void)0)
#endif

/* A project may place the arena, for example WVV_ARENA as a section attribute for tightly coupled memory. */
#ifndef WVV_ARENA
#define WVV_ARENA
#endif
static WVV_ARENA _Alignas(16) uint8_t arena[TVMGEN_RESIDUAL_ARENA_SIZE];

int32_t tvmgen_residual_run(struct tvmgen_residual_inputs* inputs, struct tvmgen_residual_outputs* outputs) {
  wvv_layer_mark(WVV_LAYER_START);
  /* block/conv0;Relu */
  residual_conv2d_0(inputs->serving_input_0, residual_l0_weights, residual_l0_bias, (void*)(arena + 0));
  wvv_layer_mark(0u);
  /* block/conv1;Relu */
  residual_conv2d_0((void*)(arena + 0), residual_l1_weights, residual_l1_bias, (void*)(arena + 32));
  wvv_layer_mark(1u);
  /* block/add * / // ? */
  residual_add_0((void*)(arena + 32), (void*)(arena + 0), (void*)(arena + 32));
  wvv_layer_mark(2u);
  /* block/last */
  residual_conv2d_0((void*)(arena + 32), residual_l3_weights, residual_l3_bias, outputs->Identity_0);
  wvv_layer_mark(3u);
  /* flatten */
  wvv_layer_mark(4u);
  return 0;
}
