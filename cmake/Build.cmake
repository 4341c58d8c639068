# SPDX-License-Identifier: Apache-2.0
# How everything here is compiled: flags, sanitizers, and two helpers.
include(GNUInstallDirs)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

option(QMESH_SANITIZE "Address and undefined behaviour sanitizers" OFF)
option(QMESH_TSAN "Thread sanitizer" OFF)
option(QMESH_WERROR "Warnings are errors" ON)
option(QMESH_FUZZ "libFuzzer targets (clang)" OFF)
option(QMESH_KILL_POINTS "Named points where a test may kill a daemon" OFF)

add_compile_options(
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
  -Wformat=2 -Wundef -Wwrite-strings -fno-common -fstack-protector-strong)
if(QMESH_WERROR)
  add_compile_options(-Werror)
endif()
add_compile_definitions(_GNU_SOURCE QMESH_VERSION="${PROJECT_VERSION}")
if(QMESH_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(QMESH_TSAN)
  add_compile_options(-fsanitize=thread)
  add_link_options(-fsanitize=thread)
elseif(CMAKE_BUILD_TYPE MATCHES Rel)
  add_compile_options(-D_FORTIFY_SOURCE=2)
endif()
if(QMESH_KILL_POINTS)
  add_compile_definitions(QMESH_KILL_POINTS)
endif()
include_directories(${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/gen/c)

add_library(qm_all INTERFACE) # every library, for tests

# qm_library(NAME SOURCES a.c b.c [PACKAGES pkg-config names] [LINKS targets])
function(qm_library name)
  cmake_parse_arguments(L "" "" "SOURCES;PACKAGES;LINKS" ${ARGN})
  add_library(${name} STATIC ${L_SOURCES})
  target_link_libraries(${name} PUBLIC ${L_LINKS} Threads::Threads)
  foreach(package ${L_PACKAGES})
    string(MAKE_C_IDENTIFIER "PKG_${package}" var)
    pkg_check_modules(${var} REQUIRED IMPORTED_TARGET GLOBAL ${package})
    target_link_libraries(${name} PUBLIC PkgConfig::${var})
  endforeach()
  target_link_libraries(qm_all INTERFACE ${name})
endfunction()

# qm_program(NAME SOURCES a.c LINKS targets): lands in build/bin
function(qm_program name)
  cmake_parse_arguments(P "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${P_SOURCES})
  target_link_libraries(${name} PRIVATE ${P_LINKS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()
