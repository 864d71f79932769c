# Runs PROGRAM on CHECK/input.bin and compares what it gives with CHECK/expected.bin.
file(COPY ${CHECK}/input.bin DESTINATION ${CMAKE_CURRENT_BINARY_DIR})
execute_process(COMMAND ${PROGRAM} WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} ended with ${status}")
endif()
execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files output.bin ${CHECK}/expected.bin
  WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} RESULT_VARIABLE differs)
if(differs)
  message(FATAL_ERROR "output.bin differs from ${CHECK}/expected.bin")
endif()
