# What find_package(Zephyr) gives an application: the target `app`, and libraries that become part of the image.
enable_language(C)
set(STUBS ${CMAKE_CURRENT_LIST_DIR})
add_executable(app ${STUBS}/zephyr.c ${STUBS}/../line.c)
target_include_directories(app PRIVATE ${STUBS}/include ${STUBS}/..)
target_compile_options(app PRIVATE -std=c11 -Wall -Wextra -Werror)

# Kconfig's symbols with a number, as autoconf.h has them.
file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/prj.conf lines REGEX "^CONFIG_[A-Z0-9_]+=[0-9]+$")
foreach(line ${lines})
  target_compile_definitions(app PRIVATE ${line})
endforeach()

function(zephyr_library_named name)
  add_library(${name} STATIC)
  target_link_libraries(app PRIVATE ${name} m)
  set(ZEPHYR_CURRENT_LIBRARY ${name} PARENT_SCOPE)
endfunction()

function(zephyr_library_include_directories)
  target_include_directories(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()

function(zephyr_library_compile_options)
  target_compile_options(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()

function(zephyr_library_sources)
  target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
