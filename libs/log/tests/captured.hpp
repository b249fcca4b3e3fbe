// Lines that the code under test logs, instead of standard error.
#pragma once

#include "coursegate/log/log.hpp"

#include <nlohmann/json.hpp>

#include <mutex>
#include <string>
#include <vector>

namespace coursegate::log {

class captured
{
public:
    captured() : before_(set_sink(&keep)), level_(current_level())
    {
        const std::lock_guard held{lock()};
        lines().clear();
        set_level(level::info);
    }
    ~captured()
    {
        set_sink(before_);
        set_level(level_);
    }
    captured(const captured&) = delete;

    static std::vector<std::string> all()
    {
        const std::lock_guard held{lock()};
        return lines();
    }
    static nlohmann::json last() { return nlohmann::json::parse(all().back()); }

private:
    static std::mutex& lock()
    {
        static std::mutex instance;
        return instance;
    }
    static std::vector<std::string>& lines()
    {
        static std::vector<std::string> instance;
        return instance;
    }
    static void keep(std::string_view line)
    {
        const std::lock_guard held{lock()};
        lines().emplace_back(line);
    }

    sink before_;
    level level_;
};

} // namespace coursegate::log
