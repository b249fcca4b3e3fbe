#include "clients/id_token.hpp"

#include "target.hpp"

using namespace coursegate::web_gateway;

// A provider's keys and its token, one after the other with a line break between.
void fuzz(std::string_view bytes)
{
    const auto end = bytes.find('\n');
    const auto keys = key_set::parse(bytes.substr(0, end));
    const auto token = end == bytes.npos ? std::string_view() : bytes.substr(end + 1);
    if (keys.has_value())
        must(!keys->verified(token).has_value() || keys->size() > 0, "nothing is verified without a key");
    static const auto known = key_set::parse(
        R"({"keys":[{"kty":"EC","kid":"1","crv":"P-256","alg":"ES256","use":"sig",)"
        R"("x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})");
    must(known.has_value() && known->size() == 1, "the known key is read");
    known->verified(token);
}
