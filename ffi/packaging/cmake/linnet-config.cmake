# Finds the library next to this file, wherever it was unpacked or installed:
#   find_package(linnet REQUIRED)
#   target_link_libraries(program PRIVATE linnet::linnet)      # or linnet::static
include(CMakeFindDependencyMacro)
find_dependency(Threads)

# PREFIX/lib/cmake/linnet, PREFIX/lib/ARCH/cmake/linnet or PREFIX/share/linnet/cmake.
set(_linnet_prefix "${CMAKE_CURRENT_LIST_DIR}")
while(NOT EXISTS "${_linnet_prefix}/include/linnet.h")
  get_filename_component(_linnet_parent "${_linnet_prefix}" DIRECTORY)
  if(_linnet_parent STREQUAL _linnet_prefix)
    set(linnet_FOUND FALSE)
    set(linnet_NOT_FOUND_MESSAGE "include/linnet.h is in no folder above ${CMAKE_CURRENT_LIST_DIR}")
    return()
  endif()
  set(_linnet_prefix "${_linnet_parent}")
endwhile()

set(_linnet_suffixes lib bin lib64)
if(CMAKE_LIBRARY_ARCHITECTURE)
  list(APPEND _linnet_suffixes "lib/${CMAKE_LIBRARY_ARCHITECTURE}")
endif()
find_library(_linnet_shared NAMES linnet linnet_ffi.dll linnet_ffi PATHS "${_linnet_prefix}" PATH_SUFFIXES ${_linnet_suffixes}
             NO_DEFAULT_PATH NO_CACHE)
find_file(_linnet_static NAMES liblinnet.a liblinnet_ffi.a linnet_ffi.lib PATHS "${_linnet_prefix}" PATH_SUFFIXES ${_linnet_suffixes}
          NO_DEFAULT_PATH NO_CACHE)

if(_linnet_shared AND NOT TARGET linnet::linnet)
  add_library(linnet::linnet UNKNOWN IMPORTED)
  set_target_properties(linnet::linnet PROPERTIES
    IMPORTED_LOCATION "${_linnet_shared}"
    INTERFACE_INCLUDE_DIRECTORIES "${_linnet_prefix}/include")
endif()
if(_linnet_static AND NOT TARGET linnet::static)
  add_library(linnet::static UNKNOWN IMPORTED)
  set_target_properties(linnet::static PROPERTIES
    IMPORTED_LOCATION "${_linnet_static}"
    INTERFACE_INCLUDE_DIRECTORIES "${_linnet_prefix}/include"
    INTERFACE_LINK_LIBRARIES "Threads::Threads;${CMAKE_DL_LIBS};$<$<NOT:$<PLATFORM_ID:Windows>>:m>")
endif()

unset(_linnet_prefix)
unset(_linnet_parent)
unset(_linnet_suffixes)
