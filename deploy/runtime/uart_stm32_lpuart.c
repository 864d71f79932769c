/* The LPUART of STM32L4 and U5: the USART's registers, and a divider in 256ths (ST RM0432 and RM0456, chapter LPUART).
 * A Nucleo-L4R5ZI has its debugger's virtual COM port on it. */
#define WVV_UART_FINENESS 256u
#include "uart_stm32_v2.c"
