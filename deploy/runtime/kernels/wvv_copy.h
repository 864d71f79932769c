/* Rows of bytes, from and to places that lie any distance apart. */
#ifndef WVV_COPY_H_
#define WVV_COPY_H_

#include <stdint.h>

/* `rows` runs of `bytes`, which lie one after the other, to places `step` apart. */
void wvv_copy_rows(const int8_t *x, int8_t *y, int32_t rows, int32_t bytes, int32_t step);

/* `rows` runs of `bytes` of one value, at places `step` apart. */
void wvv_fill_rows(int8_t *y, int32_t value, int32_t rows, int32_t bytes, int32_t step);

#endif
