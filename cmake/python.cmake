# Completes the Python client (clients/python) in the build folder: python/ there is the package with the messages of
# proto/ and the tables of errors and methods, to be imported or installed. Needs protoc and python3-protobuf; without
# them everything else is built.

function(carillon_python_client)
    find_program(PROTOC protoc)
    # Debian's own: another python3 on PATH would not see Debian's python3-protobuf.
    find_program(PYTHON3 python3 PATHS /usr/bin NO_DEFAULT_PATH)
    if(NOT PROTOC OR NOT PYTHON3)
        message(STATUS "protoc or python3 is not installed: the Python client is not built")
        return()
    endif()
    execute_process(COMMAND ${PYTHON3} -c "import google.protobuf" RESULT_VARIABLE result ERROR_QUIET)
    if(NOT result EQUAL 0)
        message(STATUS "python3-protobuf is not installed: the Python client is not built")
        return()
    endif()

    set(client ${CMAKE_SOURCE_DIR}/clients/python)
    file(GLOB schemas CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/proto/*.proto)
    file(GLOB sources CONFIGURE_DEPENDS ${client}/carillon/*.py)
    set(out ${CMAKE_BINARY_DIR}/python)
    add_custom_command(
        OUTPUT ${out}/complete
        COMMAND ${PYTHON3} ${client}/generate.py --source ${CMAKE_SOURCE_DIR} --protoc ${PROTOC} --out ${out}
        COMMAND ${CMAKE_COMMAND} -E touch ${out}/complete
        DEPENDS ${client}/generate.py ${client}/pyproject.toml ${client}/README.md ${client}/carillon/py.typed
                ${sources} ${schemas} ${CMAKE_SOURCE_DIR}/src/base/error.h ${CMAKE_SOURCE_DIR}/src/wire/method.c
        VERBATIM)
    add_custom_target(python_client ALL DEPENDS ${out}/complete)
    set(CARILLON_PYTHON ${PYTHON3} PARENT_SCOPE)
endfunction()
