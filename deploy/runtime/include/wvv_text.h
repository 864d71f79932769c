/* Numbers as text, for the few words that firmware says; printf would bring in a heap. */
#ifndef WVV_TEXT_H
#define WVV_TEXT_H

#include <stdint.h>

#define WVV_TEXT_BYTES 11 /* ten digits of 2^32 - 1 and the final 0 */

/* Decimal digits of `value` inside `text`; the result points at the first digit. */
const char *wvv_decimal(char text[WVV_TEXT_BYTES], uint32_t value);

/* "0x" and eight hexadecimal digits. */
const char *wvv_hex(char text[WVV_TEXT_BYTES], uint32_t value);

#endif
