# SPDX-License-Identifier: MIT
# The helpers every target of the project is made with.

# Settings of our own code: they never leak to users of the installed package.
add_library(qsse_build_flags INTERFACE)
target_compile_definitions(qsse_build_flags INTERFACE
    QT_NO_CAST_FROM_ASCII
    QT_NO_CAST_TO_ASCII
    QT_NO_KEYWORDS
    QT_NO_FOREACH
    QT_STRICT_ITERATORS
    QT_DISABLE_DEPRECATED_BEFORE=0x060400
)
if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    target_compile_options(qsse_build_flags INTERFACE
        -fno-semantic-interposition -Wall -Wextra $<$<BOOL:${QSSE_WERROR}>:-Werror>)
    if(QSSE_SANITIZE)
        # Everything is instrumented, also what links our libraries in this build.
        add_compile_options(-fsanitize=${QSSE_SANITIZE} -fno-omit-frame-pointer
            -fno-sanitize-recover=undefined)
        add_link_options(-fsanitize=${QSSE_SANITIZE})
    endif()
endif()

# qsse_add_library(Server SOURCES ... HEADERS ... FORWARDING ClassName=header.h ... LINK ...)
# makes QSse<Name>, alias QSse::<Name>. HEADERS are public; FORWARDING makes #include <ClassName> work.
function(qsse_add_library name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;HEADERS;FORWARDING;LINK")
    set(target QSse${name})
    string(TOLOWER ${name} lower)
    string(TOUPPER ${name} upper)
    set(generated ${PROJECT_BINARY_DIR}/include/${name})

    add_library(${target} ${arg_SOURCES} ${arg_HEADERS})
    add_library(QSse::${name} ALIAS ${target})
    set_target_properties(${target} PROPERTIES
        EXPORT_NAME ${name}
        VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    )
    target_compile_features(${target} PUBLIC cxx_std_17)
    target_link_libraries(${target} PUBLIC ${arg_LINK} PRIVATE $<BUILD_INTERFACE:qsse_build_flags>)

    include(GenerateExportHeader)
    generate_export_header(${target}
        BASE_NAME QSSE_${upper}
        EXPORT_FILE_NAME ${generated}/qsse_${lower}_export.h
        CUSTOM_CONTENT_FROM_VARIABLE QSSE_EXPORT_LICENSE)
    set(public_headers ${generated}/qsse_${lower}_export.h)
    foreach(forwarding IN LISTS arg_FORWARDING)
        string(REPLACE "=" ";" forwarding ${forwarding})
        list(GET forwarding 0 class)
        list(GET forwarding 1 header)
        file(CONFIGURE OUTPUT ${generated}/${class} CONTENT "#include \"${header}\" // IWYU pragma: export\n")
        list(APPEND public_headers ${generated}/${class})
    endforeach()

    set(source_dirs ${arg_HEADERS} ${arg_SOURCES})
    list(TRANSFORM source_dirs REPLACE "/[^/]*$" "")
    list(REMOVE_DUPLICATES source_dirs)
    list(TRANSFORM source_dirs PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")
    list(TRANSFORM source_dirs REPLACE "(.+)" "$<BUILD_INTERFACE:\\1>")
    target_include_directories(${target} PUBLIC
        ${source_dirs}
        $<BUILD_INTERFACE:${generated}>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/QSse>
    )

    install(TARGETS ${target} EXPORT QSse${name}Targets
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    )
    install(FILES ${arg_HEADERS} ${public_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/QSse)
    install(EXPORT QSse${name}Targets NAMESPACE QSse::
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/QSse)
    set_property(GLOBAL APPEND PROPERTY QSSE_COMPONENTS ${name})
endfunction()

# qsse_add_program(name SOURCES ... LINK ...): an executable of this project with its warnings and style.
function(qsse_add_program name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE ${arg_LINK} qsse_build_flags)
endfunction()
