// Reading proto-schemas; the tests run in the root of the project.
#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace coursegate::contract {

inline const std::filesystem::path events_folder = "proto-schemas/events";

inline nlohmann::json read_json(const std::filesystem::path& file)
{
    std::ifstream in(file);
    if (!in)
        throw std::runtime_error("can't read " + file.string());
    return nlohmann::json::parse(in);
}

// "lesson_passed.v1" for each schema of an event.
inline std::vector<std::string> events_described()
{
    std::vector<std::string> out;
    const std::string ending = ".schema.json";
    for (const auto& entry : std::filesystem::directory_iterator(events_folder)) {
        const auto name = entry.path().filename().string();
        if (name.ends_with(ending) && !name.starts_with("envelope."))
            out.push_back(name.substr(0, name.size() - ending.size()));
    }
    return out;
}

} // namespace coursegate::contract
