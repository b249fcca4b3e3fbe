// One template in one language: its texts are put in when it is loaded, its data each time it is shown.
#pragma once

#include "pages/catalogue.hpp"
#include "pages/files.hpp"

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::web_gateway {

// One thread at a time.
class page_template
{
public:
    // Throws base::bad_configuration naming the file (and the part that it takes in and that is not there).
    page_template(
        const std::string& name, const files& all, const catalogue& texts, std::string_view language);
    ~page_template();

    // Strings and numbers are escaped where the template does not say otherwise ({{{…}}}).
    std::string fill(const nlohmann::json& data) const;
    std::string title(const nlohmann::json& data) const; // plain text; empty where the template has none

private:
    struct parsed;
    std::unique_ptr<parsed> parsed_;
};

// The msgids of a template, for tests of completeness.
std::vector<std::string> texts_of_template(std::string_view source);

} // namespace coursegate::web_gateway
