#include "wvv_mve_winograd.h"

#include "wvv_mve_winograd_walk.h"

/* The scale of exact f4, 576, is no power of two: it has an end of its own. */
#define F2(left) {4, 2, 16, 4, left, wvv_mve_f2_group, wvv_mve_f2_output}
#define F4(output) {6, 4, 36, 36, 0, wvv_mve_f4_group, output}
#define F4C(left) {6, 4, 46, 16, left, wvv_mve_f4c_group, wvv_mve_f4c_output}

WVV_MVE_DEFINE_EXACT(wvv_mve_winograd_f2, F2(-2))
WVV_MVE_DEFINE_EXACT(wvv_mve_winograd_f4, F4(wvv_mve_f4_exact_output))
WVV_MVE_DEFINE_EXACT(wvv_mve_winograd_f4c, F4C(-4))
WVV_MVE_DEFINE_INT8(wvv_mve_winograd_f2_int8, F2(0))
WVV_MVE_DEFINE_INT8(wvv_mve_winograd_f4_int8, F4(wvv_mve_f4_output))
WVV_MVE_DEFINE_INT8(wvv_mve_winograd_f4c_int8, F4C(0))
