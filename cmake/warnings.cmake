# Compiler flags for every file of ours (generated Protobuf code gets its own, looser set).

add_compile_definitions(_GNU_SOURCE CARILLON_VERSION="${PROJECT_VERSION}")
add_compile_options(-fno-common -fvisibility=hidden -fstack-protector-strong)
add_link_options(-pie -Wl,-z,relro -Wl,-z,now)

set(CARILLON_WARNINGS
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
    -Wmissing-prototypes -Wvla -Wswitch-enum -Wformat=2)
option(CARILLON_WERROR "warnings are errors" OFF)
if(CARILLON_WERROR)
    list(APPEND CARILLON_WARNINGS -Werror)
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    add_compile_options(-D_FORTIFY_SOURCE=3)
endif()

if(CARILLON_SANITIZE)
    add_compile_options(-fsanitize=${CARILLON_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${CARILLON_SANITIZE})
endif()
if(CARILLON_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
