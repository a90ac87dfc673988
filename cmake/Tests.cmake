# SPDX-License-Identifier: Apache-2.0
#
# Tests - how a test is declared, so that all are alike: a directory of objects of its own, a time limit, a label to choose it by.
#
#   pabal_add_test(NAME SOURCES file... [VARIANT testlib|noslice|shared] [LABEL label] [TIMEOUT seconds] [PROCESSORS n] [ARGUMENTS word...])
#       A C test program on cmocka. testlib (the default) and noslice are the libraries with test hooks, and let the test include
#       internal headers; shared is the library as shipped, and public headers alone.
#   pabal_add_script(NAME COMMAND word... [LABEL label] [TIMEOUT seconds] [PROCESSORS n])
#       Any other command as a test. It finds the built pabal in its PATH, the build directory in $PABAL_BUILD_DIR and the source
#       directory in $PABAL_SOURCE_DIR.
#
# The labels are unit, link, buffer, mailbox, region, crash, thread, command, lint and install; "./dev check LABEL" runs one of them. The time limit is there
# to find what hangs; no test passes or fails by timing.

set(PABAL_TEST_LABELS unit link buffer mailbox region crash thread command lint install)

function(pabal_register_test name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;TIMEOUT;PROCESSORS" "COMMAND")
	if(NOT arg_LABEL)
		set(arg_LABEL unit)
	endif()
	if(NOT arg_LABEL IN_LIST PABAL_TEST_LABELS)
		message(FATAL_ERROR "test ${name}: no label '${arg_LABEL}'; there are: ${PABAL_TEST_LABELS}")
	endif()
	if(NOT arg_TIMEOUT)
		set(arg_TIMEOUT 120)
	endif()
	if(NOT arg_PROCESSORS)
		set(arg_PROCESSORS 1)
	endif()
	# The wrapper ends the test when its time is over and cleans up; ctest's own limit only finds a wrapper that hangs.
	math(EXPR limit "${arg_TIMEOUT} + 30")
	add_test(NAME ${name} COMMAND ${PROJECT_SOURCE_DIR}/tests/run-in-own-directory ${arg_TIMEOUT} ${arg_COMMAND})
	set_tests_properties(${name} PROPERTIES
		LABELS ${arg_LABEL}
		TIMEOUT ${limit}
		PROCESSORS ${arg_PROCESSORS}
		ENVIRONMENT_MODIFICATION "PATH=path_list_prepend:${PROJECT_BINARY_DIR}/tools"
		ENVIRONMENT "PABAL_BUILD_DIR=${PROJECT_BINARY_DIR};PABAL_SOURCE_DIR=${PROJECT_SOURCE_DIR}"
	)
endfunction()

function(pabal_add_test name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "VARIANT;LABEL;TIMEOUT;PROCESSORS" "SOURCES;ARGUMENTS")
	if(NOT arg_SOURCES OR arg_UNPARSED_ARGUMENTS)
		message(FATAL_ERROR "test ${name}: SOURCES are missing, or a word is unknown: ${arg_UNPARSED_ARGUMENTS}")
	endif()
	if(NOT arg_VARIANT)
		set(arg_VARIANT testlib)
	endif()
	if(arg_VARIANT STREQUAL "shared")
		set(library pabal::pabal)
	elseif(arg_VARIANT STREQUAL "testlib" OR arg_VARIANT STREQUAL "noslice")
		set(library pabal_${arg_VARIANT})
	else()
		message(FATAL_ERROR "test ${name}: VARIANT is testlib, noslice or shared, not '${arg_VARIANT}'")
	endif()
	add_executable(test_${name} ${arg_SOURCES})
	target_compile_definitions(test_${name} PRIVATE _GNU_SOURCE)
	target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
	target_link_libraries(test_${name} PRIVATE ${library} PkgConfig::CMOCKA Threads::Threads)
	pabal_register_test(${name} COMMAND $<TARGET_FILE:test_${name}> ${arg_ARGUMENTS}
		LABEL ${arg_LABEL} TIMEOUT ${arg_TIMEOUT} PROCESSORS ${arg_PROCESSORS})
endfunction()

function(pabal_add_script name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;TIMEOUT;PROCESSORS" "COMMAND")
	if(NOT arg_COMMAND OR arg_UNPARSED_ARGUMENTS)
		message(FATAL_ERROR "test ${name}: COMMAND is missing, or a word is unknown: ${arg_UNPARSED_ARGUMENTS}")
	endif()
	pabal_register_test(${name} COMMAND ${arg_COMMAND} LABEL ${arg_LABEL} TIMEOUT ${arg_TIMEOUT} PROCESSORS ${arg_PROCESSORS})
endfunction()
