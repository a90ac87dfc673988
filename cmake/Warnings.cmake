# SPDX-License-Identifier: Apache-2.0
#
# Warnings - what the compiler is asked to say about our own code.
#
# Each of these has found a real mistake somewhere and is quiet on code that is written with care. -Wconversion is left out:
# a queue of packed words converts on purpose in almost every line, and casts that only silence it hide the ones that matter.
add_compile_options(
	-Wall
	-Wextra
	-Wshadow
	-Wstrict-prototypes
	-Wmissing-prototypes
	-Wold-style-definition
	-Wvla
	-Wundef
	-Wpointer-arith
	-Wcast-align
	-Wwrite-strings
	-Wformat=2
	-Wdouble-promotion
)

if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
	add_compile_options(-Wlogical-op -Wduplicated-cond -Wduplicated-branches)
endif()

if(PABAL_WERROR)
	add_compile_options(-Werror)
	# ThreadSanitizer does not understand fences, and gcc says so at each one. It is worth reading, it is no mistake.
	if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND PABAL_SANITIZE MATCHES "thread")
		add_compile_options(-Wno-error=tsan)
	endif()
endif()
