#ifndef TVMGEN_AWKWARD_H_
#define TVMGEN_AWKWARD_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of each tensor, of the largest kernel's scratch, and of the arena that holds scratch and tensors between. */
#define TVMGEN_AWKWARD_FOR__SIZE 12
#define TVMGEN_AWKWARD_T_2ND_SIZE 12
#define TVMGEN_AWKWARD_IDENTITY_0_SIZE 12
#define TVMGEN_AWKWARD_IDENTITY_1_SIZE 12
#define TVMGEN_AWKWARD_IDENTITY_2_SIZE 12
#define TVMGEN_AWKWARD_IDENTITY_3_SIZE 12
#define TVMGEN_AWKWARD_WORKSPACE_SIZE 0
#define TVMGEN_AWKWARD_ARENA_SIZE 32

struct tvmgen_awkward_inputs {
  void* for_; /* for */
  void* t_2nd; /* 2nd */
};

struct tvmgen_awkward_outputs {
  void* Identity_0; /* Identity_0 */
  void* Identity_1; /* Identity_1 */
  void* Identity_2; /* Identity_2 */
  void* Identity_3; /* Identity_3 */
};

/* Runs the model once; 0 on success. Inputs are only read. Inputs and outputs must not overlap, and each pointer must
 * be aligned for its element type. Not reentrant: the arena is static. */
int32_t tvmgen_awkward_run(struct tvmgen_awkward_inputs* inputs, struct tvmgen_awkward_outputs* outputs);

#ifdef __cplusplus
}
#endif

#endif
