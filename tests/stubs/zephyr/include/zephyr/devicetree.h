/* zephyr/devicetree.h: a chosen node is known by its property's name. */
#define DT_CHOSEN(property) property
