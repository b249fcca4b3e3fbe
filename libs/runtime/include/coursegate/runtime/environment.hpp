// Settings from the environment, read once at start. Faults are collected, and finish() throws one
// base::bad_configuration that names all of them. What is asked for here is also what --help lists: nothing
// else is read from the environment.
#pragma once

#include "coursegate/base/keyring.hpp"
#include "coursegate/base/secret.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::runtime {

class environment
{
public:
    environment();                                                            // the process's environment
    explicit environment(std::vector<std::pair<std::string, std::string>> v); // tests
    ~environment();

    // Each reads `name`; a missing one takes `otherwise`, or is a fault when there is none. `meaning` is for
    // --help.
    std::string text(
        const std::string& name, const std::string& meaning, std::optional<std::string> otherwise = {});
    std::int64_t integer(const std::string& name, const std::string& meaning, std::int64_t least,
        std::int64_t most, std::optional<std::int64_t> otherwise = {});
    double number(const std::string& name, const std::string& meaning, double least, double most,
        std::optional<double> otherwise = {});
    bool flag(const std::string& name, const std::string& meaning, bool otherwise);
    // http:// or https:// without a path's trailing slash.
    std::string url(
        const std::string& name, const std::string& meaning, std::optional<std::string> otherwise = {});
    // `name`, or the file that `name`_FILE names (its trailing newline is dropped); both set is a fault.
    // Registered with log::never_print.
    base::secret secret(const std::string& name, const std::string& meaning, bool required = true);

    void fault(std::string sentence); // a fault found by the caller (two settings that contradict each other)
    void finish() const;              // throws base::bad_configuration with every fault

    struct described
    {
        std::string name, meaning, otherwise;
        bool is_secret = false;
    };
    const std::vector<described>& asked() const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace coursegate::runtime
