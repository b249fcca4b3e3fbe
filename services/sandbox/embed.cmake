# Writes OUTPUT, a C++ file that holds each of FILES (relative to FOLDER) as a raw string literal.
set(text "// Made by embed.cmake from the files named below.\n#include \"handlers/embedded.hpp\"\n\n")
string(APPEND text "namespace coursegate::sandbox {\n\nstd::string_view embedded(std::string_view name)\n{\n")
file(WRITE ${OUTPUT} "${text}")
foreach(name IN LISTS FILES)
  file(READ ${FOLDER}/${name} content)
  file(APPEND ${OUTPUT} "    if (name == \"${name}\")\n        return R\"embedded(${content})embedded\";\n")
endforeach()
file(APPEND ${OUTPUT} "    return {};\n}\n\n} // namespace coursegate::sandbox\n")
