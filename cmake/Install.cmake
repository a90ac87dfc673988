# SPDX-License-Identifier: Apache-2.0
#
# Install - what "cmake --install" puts where, and how other programs find it.
#
# Headers, both libraries, a pkg-config file, a CMake package (find_package(pabal) gives pabal::pabal and pabal::static) and the
# manual pages. The command installs itself, in tools/CMakeLists.txt. tests/install builds programs against the result.
include(CMakePackageConfigHelpers)

set(PABAL_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/pabal)

install(TARGETS pabal pabal_static EXPORT pabal-targets)
install(DIRECTORY include/pabal TYPE INCLUDE FILES_MATCHING PATTERN "*.h")

install(EXPORT pabal-targets NAMESPACE pabal:: DESTINATION ${PABAL_CMAKE_DIR})
configure_package_config_file(cmake/pabal-config.cmake.in pabal-config.cmake INSTALL_DESTINATION ${PABAL_CMAKE_DIR})
# Before 1.0 a new minor version may break its users; from then on only a new major one may.
write_basic_package_version_file(pabal-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/pabal-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/pabal-config-version.cmake DESTINATION ${PABAL_CMAKE_DIR})

# The prefix is known for certain at installation only ("cmake --install --prefix"), so this one is written then.
cmake_path(APPEND PABAL_PC_LIBDIR "\${prefix}" ${CMAKE_INSTALL_LIBDIR})
cmake_path(APPEND PABAL_PC_INCLUDEDIR "\${prefix}" ${CMAKE_INSTALL_INCLUDEDIR})
install(CODE "
	set(PROJECT_DESCRIPTION [[${PROJECT_DESCRIPTION}]])
	set(PROJECT_VERSION ${PROJECT_VERSION})
	set(PABAL_PC_LIBDIR [[${PABAL_PC_LIBDIR}]])
	set(PABAL_PC_INCLUDEDIR [[${PABAL_PC_INCLUDEDIR}]])
	configure_file([[${CMAKE_CURRENT_SOURCE_DIR}/cmake/pabal.pc.in]] [[${CMAKE_CURRENT_BINARY_DIR}/pabal.pc]] @ONLY)
")
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/pabal.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# man/pabal.1 goes to man1, man/pabal.7 to man7: the section is the last part of the name.
set(PABAL_MAN_PAGES
	pabal.1
	pabal.7
	pabal_buffer.3
	pabal_link.3
	pabal_mailbox.3
	pabal_process.3
	pabal_region.3
)
foreach(page IN LISTS PABAL_MAN_PAGES)
	string(REGEX REPLACE ".*\\." "" section ${page})
	install(FILES man/${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
