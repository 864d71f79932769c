#include "tvmgen_awkward.h"

#include <string.h>

#include "awkward_kernels.h"
#include "awkward_weights.h"

#ifdef WVV_PROFILE
#include "wvv_model.h"
#else
#define wvv_layer_mark(layer) ((void)0)
#endif

/* A project may place the arena, for example WVV_ARENA as a section attribute for tightly coupled memory. */
#ifndef WVV_ARENA
#define WVV_ARENA
#endif
static WVV_ARENA _Alignas(16) uint8_t arena[TVMGEN_AWKWARD_ARENA_SIZE];

int32_t tvmgen_awkward_run(struct tvmgen_awkward_inputs* inputs, struct tvmgen_awkward_outputs* outputs) {
  wvv_layer_mark(WVV_LAYER_START);
  /* sum */
  awkward_add_0(inputs->for_, inputs->t_2nd, (void*)(arena + 0));
  wvv_layer_mark(0u);
  /* flip */
  awkward_reverse_0((void*)(arena + 0), (void*)(arena + 16));
  wvv_layer_mark(1u);
  /* sum2 */
  awkward_add_0((void*)(arena + 16), awkward_l2_b, outputs->Identity_0);
  wvv_layer_mark(2u);
  memcpy(outputs->Identity_1, inputs->t_2nd, 12u);
  memcpy(outputs->Identity_2, awkward_l2_b, 12u);
  memcpy(outputs->Identity_3, outputs->Identity_0, 12u);
  return 0;
}
