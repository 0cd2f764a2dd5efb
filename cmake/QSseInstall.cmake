# SPDX-License-Identifier: MIT
# The CMake package: find_package(QSse COMPONENTS Core SqliteLog Server HttpServer Client).
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/QSse)
get_property(QSSE_COMPONENTS GLOBAL PROPERTY QSSE_COMPONENTS)

configure_package_config_file(cmake/QSseConfig.cmake.in
    ${PROJECT_BINARY_DIR}/cmake/QSseConfig.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/QSseConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES
    ${PROJECT_BINARY_DIR}/cmake/QSseConfig.cmake
    ${PROJECT_BINARY_DIR}/cmake/QSseConfigVersion.cmake
    DESTINATION ${package_dir})
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
