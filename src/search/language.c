#include "search/language.h"

#include <libstemmer.h>

enum {
    CLEAR_POINTS = 2 * LANGUAGE_POINTS, /* tell a language when it leads by half */
    LONG_POINTS = 5 * LANGUAGE_POINTS,  /* tell it when it leads at all: sisters share many words */
};

/* Function words that are frequent in running text. A word may stand in several lists: what
 * counts is which list gathers most of a text. */
/* clang-format off */
const struct language languages[LANGUAGE_COUNT] = {
    {"english", "the of and to a in for is this are with will on be as by an from or that it their at which "
                "these such not have has can its into between through may other also how they both what about "
                "we you your our his her was were been than but if all more most some who do does"},
    {"german", "der die das und in den von zu mit für auf ist im dem nicht ein eine als auch es an werden aus er "
               "hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum oder zur durch des "
               "vor bis kann unter wir"},
    {"french", "le la les de des du et en un une dans pour par sur au aux que qui est avec ce ces cette à ou son "
               "sa ses leur leurs se sont ne pas plus il elle nous vous comme entre être d l"},
    {"turkish", "ve bir bu ile için olarak olan da de gibi daha çok en veya ya her ne kadar sonra göre "
                "üzerine üzerinde ait hakkında ilgili olup ancak ise mi"},
    {"spanish", "el la los las de del y en un una para por con que se es al lo como más o su sus sobre entre este "
                "esta estos estas son ser no sin desde hasta también e"},
    {"italian", "il lo la i gli le di del della dei delle e in un una per con che si è al alla dal dalla nel nella "
                "come più o sono su tra fra questo questa ed anche non"},
    {"portuguese", "o a os as de do da dos das e em um uma para por com que se é ao no na nos nas como mais ou seu "
                   "sua sobre entre este esta são ser não também pelo pela"},
    {"dutch", "de het een en van in op te dat die is voor met zijn aan er niet om ook als bij door naar uit tot over "
              "wordt worden deze dit maar of kan hun"},
    {"swedish", "och i att det som en på är av för med till den har de inte om ett från ska kan eller vid samt även "
                "sig genom under mellan detta dessa"},
    {"norwegian", "og i det er som en på av for med til den har de ikke om et fra skal kan eller ved samt også seg "
                  "gjennom mellom dette disse å"},
    {"danish", "og i at det er som en på af for med til den har de ikke om et fra skal kan eller ved samt også sig "
               "gennem mellem dette disse"},
    {"finnish", "ja on että se ei ovat oli hän sekä mutta joka jotka tai kun myös niin kuin ole sen siitä tämä "
                ""},
    {"hungarian", "a az és egy hogy nem is ez meg van csak mint de ha vagy el ki még már lehet ezek azok valamint "
                  "illetve alapján"},
    {"romanian", "și si de la în in cu pe un o care sau din pentru prin este sunt al ale a lui ce nu mai dintre "
                 "despre asupra"},
    {"russian", "и в на с по для не что как к из от о а это или у его за при их она он быть также которые между "
                ""},
};
/* clang-format on */

void stemmers_init(struct stemmers *stemmers)
{
    for (uint32_t i = 0; i < LANGUAGE_COUNT; i++) {
        stemmers->of[i] = sb_stemmer_new(languages[i].stemmer, "UTF_8");
    }
}

void stemmers_fini(struct stemmers *stemmers)
{
    for (uint32_t i = 0; i < LANGUAGE_COUNT; i++) {
        sb_stemmer_delete(stemmers->of[i]);
        stemmers->of[i] = NULL;
    }
}

struct slice stemmers_stem(struct stemmers *stemmers, uint32_t language, struct slice word)
{
    if (language >= LANGUAGE_COUNT || stemmers->of[language] == NULL) {
        return word;
    }
    struct sb_stemmer *stemmer = stemmers->of[language];
    const sb_symbol *stem = sb_stemmer_stem(stemmer, word.data, (int)word.len);
    int len = sb_stemmer_length(stemmer);
    if (stem == NULL || len <= 0 || (size_t)len > word.len) {
        return word;
    }
    return (struct slice){stem, (size_t)len};
}

uint32_t language_guess(const uint32_t points[LANGUAGE_COUNT])
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < LANGUAGE_COUNT; i++) {
        best = points[i] > points[best] ? i : best;
    }
    uint32_t second = 0;
    for (uint32_t i = 0; i < LANGUAGE_COUNT; i++) {
        second = i != best && points[i] > second ? points[i] : second;
    }
    bool is_clear = points[best] >= CLEAR_POINTS && points[best] * 2 >= second * 3;
    bool is_long = points[best] >= LONG_POINTS && points[best] > second;
    return is_clear || is_long ? best : LANGUAGE_NONE;
}
